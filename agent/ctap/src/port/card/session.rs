//! One transaction with a card, in a thread of its own: a call of PC/SC blocks and cannot be cancelled,
//! but who waits for it must hear of it and be able to go.
//!
//! Promises: the transaction is ended as its last user said, and by a reset if he has gone while the card
//! was at work. Before the first command a transaction that somebody else's reset breaks is begun anew.

use super::apdu::Channel;
use super::readers::{Place, Readers};
use crate::port::{After, Asks, GRACE, Halt};
use crate::{Fault, Patience, Wait};
use pcsc::{Card, Disposition, Protocol, Transaction};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A card that is silent for so long while it needs the person is taken to wait for him.
const SILENCE: Duration = Duration::from_millis(500);
/// How long a card that does not block is at work on one command.
const MOMENT: Duration = Duration::from_millis(300);
/// How often a transaction is begun.
const ATTEMPTS: usize = 3;
/// The thread's stack: it does nothing deep, and stacks may be locked into memory.
const STACK: usize = 256 * 1024;

enum Job {
    Transmit(Vec<u8>),
    End(After),
}

type Answer = Result<Vec<u8>, Fault>;

/// A transaction under way.
pub(super) struct Session {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    le: bool,
    /// Whether the card is still at work on a command whose answer nobody waits for.
    at_work: bool,
}

impl Session {
    /// Begins one; waits while another program has its own.
    pub(super) fn begin(place: &Place, patience: &mut Patience<'_>) -> Result<Self, Halt> {
        let (jobs, taken) = channel();
        let (given, answers) = channel();
        let place = place.clone();
        let worker = thread::Builder::new().stack_size(STACK).spawn(move || {
            if let Err(fault) = work(&place, &taken, &given) {
                // An error means that nobody waits any more.
                let _ = given.send(Err(fault));
            }
        });
        worker.map_err(|_| Fault::Unsupported("another thread"))?;
        let mut session = Self { jobs, answers, le: false, at_work: false };
        let begun = session.answer(Asks::Device, &mut Wait::Processing, patience)?;
        session.le = !begun.is_empty();
        Ok(session)
    }

    /// Whether the card cannot be spoken to because it does not come to an end. One that tells what it
    /// waits for does in a moment.
    pub(super) fn is_at_work(&mut self) -> bool {
        if self.at_work && !matches!(self.answers.recv_timeout(MOMENT), Err(RecvTimeoutError::Timeout)) {
            self.at_work = false;
        }
        self.at_work
    }

    /// Ends it, at once or as soon as the card can.
    pub(super) fn end(self, after: After) {
        let Self { jobs, answers, at_work, .. } = self;
        // An error means that it has ended by itself.
        let _ = jobs.send(Job::End(after));
        if !at_work {
            // The thread answers no more and lets go of its end, unless the reader hangs.
            while answers.recv_timeout(GRACE).is_ok() {}
        }
    }

    fn answer(&mut self, asks: Asks, wait: &mut Wait, patience: &mut Patience<'_>) -> Result<Vec<u8>, Halt> {
        let since = Instant::now();
        loop {
            match self.answers.recv_timeout(patience.step()) {
                Ok(answer) => return Ok(answer?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Fault::Removed.into()),
            }
            if asks == Asks::Person && since.elapsed() >= SILENCE {
                *wait = Wait::Touch;
            }
            if let Err(over) = patience.pace(*wait) {
                self.at_work = true;
                return Err(over.into());
            }
        }
    }
}

impl Channel for Session {
    fn transmit(
        &mut self,
        command: &[u8],
        asks: Asks,
        wait: &mut Wait,
        patience: &mut Patience<'_>,
    ) -> Result<Vec<u8>, Halt> {
        self.jobs.send(Job::Transmit(command.to_vec())).map_err(|_| Fault::Removed)?;
        self.answer(asks, wait, patience)
    }

    fn le(&self) -> bool {
        self.le
    }
}

/// The thread. The first answer says that the transaction has begun: empty where Le must not be sent.
fn work(place: &Place, jobs: &Receiver<Job>, answers: &Sender<Answer>) -> Result<(), Fault> {
    let readers = Readers::now()?;
    for _ in 0..ATTEMPTS {
        let mut card = readers.connect(place)?;
        // One that does not tell is spoken to as most are.
        let protocol = card.status2_owned().ok().and_then(|status| status.protocol2());
        let done = match card.transaction() {
            Ok(transaction) => {
                let begun = if protocol == Some(Protocol::T0) { Vec::new() } else { vec![1] };
                // An error means that nobody waits any more: the next job says so.
                let _ = answers.send(Ok(begun));
                let after = serve(&transaction, &readers, place, jobs, answers);
                // An error means that the card is gone, and its state with it.
                let _ = transaction.end(after);
                Ok(())
            }
            Err(error) => Err(error),
        };
        leave(card);
        match done {
            Err(pcsc::Error::ResetCard) => {}
            done => return Ok(done?),
        }
    }
    Err(Fault::Disturbed)
}

/// Does what is asked until the end; gives how that shall be.
fn serve(
    card: &Transaction<'_>,
    readers: &Readers,
    place: &Place,
    jobs: &Receiver<Job>,
    answers: &Sender<Answer>,
) -> Disposition {
    let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
    let mut untouched = true;
    loop {
        match jobs.recv() {
            Ok(Job::Transmit(command)) => {
                untouched = false;
                let answer = match card.transmit(&command, &mut buffer) {
                    Ok(bytes) if bytes.len() >= 2 => Ok(bytes.to_vec()),
                    // A card that is pulled out in the middle may leave nothing as its answer.
                    Ok(_) => Err(pcsc::Error::CommDataLost),
                    Err(error) => Err(error),
                };
                let answer = answer.map_err(|error| readers.meant(error, place).into());
                // An error means that nobody waits any more: the next job says so.
                let _ = answers.send(answer);
            }
            Ok(Job::End(After::Leave)) => return Disposition::LeaveCard,
            Ok(Job::End(After::Reset)) => return Disposition::ResetCard,
            Err(_gone) if untouched => return Disposition::LeaveCard,
            Err(_gone) => return Disposition::ResetCard,
        }
    }
}

/// Lets go of a card without a trace. An error means that it has already gone.
fn leave(card: Card) {
    let _ = card.disconnect(Disposition::LeaveCard);
}
