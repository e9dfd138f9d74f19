//! The card at work: frames of the reader in, answers out, with the finger, the faults and the log of the
//! test's hand between.

use std::io;
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::device::{Device, Step};
use super::fault::{Fault, Faults};
use super::log::{Event, Exchange, Log};
use super::touch::{Ended, Finger};
use super::vpcd;

/// Answer to reset of a YubiKey 5 over USB: offers T=1, and says so with its second byte, Fx.
const ATR: [u8; 23] = [
    0x3b, 0xfd, 0x13, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x15, 0x80, 0x73, 0xc0, 0x21, 0xc0, 0x57, 0x59, 0x75,
    0x62, 0x69, 0x4b, 0x65, 0x79, 0x40,
];

/// What the serving thread and the test's hand share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) device: Mutex<Device>,
    pub(super) finger: Finger,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

impl Shared {
    pub(super) fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a reader until the connection ends.
    pub(super) fn serve(&self, stream: &mut TcpStream) {
        self.device().power_off();
        while let Some(frame) = vpcd::read(stream) {
            let answered = match frame {
                vpcd::Frame::PowerOn => self.event(Event::PowerOn),
                vpcd::Frame::PowerOff => self.event(Event::PowerOff),
                vpcd::Frame::Reset => self.event(Event::Reset),
                vpcd::Frame::GetAtr => vpcd::write(stream, &ATR),
                vpcd::Frame::Apdu(command) => self.apdu(stream, command),
            };
            if answered.is_err() {
                break;
            }
        }
        self.device().power_off();
    }

    fn event(&self, event: Event) -> io::Result<()> {
        self.device().reset();
        self.finger.withdraw();
        self.log.push(event);
        Ok(())
    }

    fn apdu(&self, stream: &mut TcpStream, command: Vec<u8>) -> io::Result<()> {
        let at = Instant::now();
        let fault = self.faults.take(command.get(1).copied());
        let (mut reply, touched) = match fault {
            Some(Fault::Remove | Fault::Mute) => (None, None),
            Some(Fault::Status(sw)) => (Some(sw.to_be_bytes().to_vec()), None),
            Some(Fault::Garbage(ref bytes)) => (self.execute(&command).0.and(Some(bytes.clone())), None),
            Some(Fault::Wrong) => {
                let (reply, touched) = self.execute(&command);
                (reply.map(another), touched)
            }
            Some(Fault::Reset) => {
                self.device().power_off();
                self.execute(&command)
            }
            Some(Fault::Delay(_)) | None => self.execute(&command),
        };
        match fault {
            Some(Fault::Delay(delay)) => reply = reply.filter(|_| self.finger.stays(delay)),
            // Only the end of the connection ends it.
            Some(Fault::Mute) => while vpcd::read(stream).is_some() {},
            Some(Fault::Remove | Fault::Status(_) | Fault::Garbage(_) | Fault::Wrong | Fault::Reset)
            | None => {}
        }
        let said = reply.clone().unwrap_or_default();
        let (applet, took) = (self.device().selected(), at.elapsed());
        self.log.push(Event::Apdu(Exchange { applet, at, took, command, reply: said, touched }));
        match reply {
            Some(bytes) => vpcd::write(stream, &bytes),
            None => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Carries one command out; the device is free for the test's hand while the touch is awaited.
    fn execute(&self, command: &[u8]) -> (Option<Vec<u8>>, Option<bool>) {
        let (waiting, timeout) = {
            let mut device = self.device();
            match device.execute(command, Instant::now()) {
                Step::Done(reply) => {
                    self.finger.withdraw(); // another command ends a wait that would have gone on
                    return (Some(reply), None);
                }
                Step::Touch(waiting) => (waiting, device.profile.touch_timeout),
            }
        };
        let touched = match self.finger.ask(waiting.manner(), timeout) {
            Some(Ended::Touched) => true,
            Some(Ended::TimedOut) => false,
            Some(Ended::PulledOut) => return (None, Some(false)),
            None => return (Some(self.device().keep(waiting)), None),
        };
        (Some(self.device().finish(waiting, touched, Instant::now())), Some(touched))
    }
}

/// The same answer with another last byte before the status word.
fn another(mut reply: Vec<u8>) -> Vec<u8> {
    if let [.., byte, _, _] = reply.as_mut_slice() {
        *byte ^= 1;
    }
    reply
}
