"""python-fido2 as the judge of the virtual authenticator on USB, and another program that uses it.

judge.py judge PIN      sets the PIN, makes a credential, has it sign: with python-fido2's own client, and its
                        server to check what comes
judge.py hold           waits for a touch (authenticatorSelection), and says how that ended
judge.py info           asks once what the authenticator is, and says how that ended

The kernel shows every report to every program that has the device open. python-fido2's own client takes what is
meant for others for a fault, so the other program reads its packets itself.
"""

import os
import sys

from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, Ctap2
from fido2.hid import CtapHidDevice, list_descriptors, open_connection
from fido2.server import Fido2Server

ORIGIN = "https://judge.example"


class Person(UserInteraction):
    def __init__(self, pin):
        self.pin, self.touches = pin, 0

    def prompt_up(self):
        self.touches += 1

    def request_pin(self, permissions, rp_id):
        return self.pin


def check(name, holds):
    print(f"ok   python-fido2: {name}" if holds else f"FAIL python-fido2: {name}", flush=True)


class Other:
    """A channel of its own; answers of one packet."""

    def __init__(self):
        (descriptor,) = list_descriptors()
        self.connection, self.channel = open_connection(descriptor), b"\xff" * 4
        nonce = os.urandom(8)
        while True:
            command, data = self.ask(0x06, nonce)
            if command == 0x06 and data[:8] == nonce:
                break
        self.channel = data[8:12]

    def ask(self, command, data):
        packet = self.channel + bytes([0x80 | command]) + len(data).to_bytes(2, "big") + data
        self.connection.write_packet(packet.ljust(64, b"\0"))
        while True:
            packet = self.connection.read_packet()
            # what is meant for others, what follows, and keepalives are passed over
            if packet[:4] == self.channel and packet[4] & 0x80 and packet[4] != 0xBB:
                return packet[4] & 0x7F, packet[7 : 7 + int.from_bytes(packet[5:7], "big")]

    def say(self, message):
        command, data = self.ask(0x10, message)
        print(f"{'answer' if command == 0x10 else 'error'} {data[:1].hex()}", flush=True)


def judge(pin):
    devices = list(CtapHidDevice.list_devices())
    check("one device is listed", len(devices) == 1)
    (device,) = devices
    seen = device.descriptor
    check("it is 1050:0407, with reports of 64 bytes",
          (seen.vid, seen.pid, seen.report_size_in, seen.report_size_out) == (0x1050, 0x0407, 64, 64))
    check("it takes CBOR and no U2F", device.capabilities & 0x0D == 0x0C)
    # 26 packets: the kernel holds 32 for /dev/uhid, and drops what comes beyond
    check("a ping of 1500 bytes comes back", device.ping(b"signet" * 250) == b"signet" * 250)
    ctap = Ctap2(device)
    check("getInfo says FIDO_2_1, usb and no PIN yet",
          "FIDO_2_1" in ctap.info.versions and "usb" in ctap.info.transports
          and ctap.info.options["clientPin"] is False)
    ClientPin(ctap).set_pin(pin)

    person = Person(pin)
    client = Fido2Client(device, DefaultClientDataCollector(ORIGIN), person)
    server = Fido2Server({"id": "judge.example", "name": "judge"}, attestation="direct")
    options, state = server.register_begin({"id": b"user", "name": "user"}, user_verification="required")
    made = server.register_complete(state, client.make_credential(options.public_key))
    check("a credential is made with PIN and touch", made.is_user_verified() and made.is_user_present())
    credentials = [made.credential_data]
    options, state = server.authenticate_begin(credentials, user_verification="required")
    signed = client.get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, credentials, signed)
    data = signed.response.authenticator_data
    check("it signs with PIN and touch", data.is_user_verified() and data.is_user_present())
    check("both touches were asked for", person.touches == 2)
    wrong = Fido2Client(device, DefaultClientDataCollector(ORIGIN), Person("not it"))
    options, _ = server.authenticate_begin(credentials, user_verification="required")
    try:
        wrong.get_assertion(options.public_key)
        refused = False
    except Exception as error:
        refused = getattr(getattr(error, "cause", error), "code", None) == CtapError.ERR.PIN_INVALID
    check("a wrong PIN is refused", refused)


def main():
    match sys.argv[1:]:
        case ["judge", pin]:
            judge(pin)
        case ["hold"]:
            Other().say(b"\x0b")
        case ["info"]:
            Other().say(b"\x04")


main()
