"""What the tests of FIDO have in common: python-fido2 on the first reader, as it comes."""

import hashlib
import sys
from threading import Event, Timer

from fido2.attestation import PackedAttestation
from fido2.ctap import STATUS, CtapError
from fido2.ctap2 import ClientPin, Ctap2
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.pcsc import CtapPcscDevice

RP = {"id": "signet", "name": "Signet"}
USER = {"id": b"somebody", "name": "somebody"}
HASH = hashlib.sha256(b"what is signed").digest()
PIN = "123456"
MAKE, ASSERT = ClientPin.PERMISSION.MAKE_CREDENTIAL, ClientPin.PERMISSION.GET_ASSERTION

device = next(CtapPcscDevice.list_devices())
ctap = Ctap2(device)
protocol = {1: PinProtocolV1, 2: PinProtocolV2}[int(sys.argv[1])]()
pins = ClientPin(ctap, protocol)


def proof(permission, pin=PIN):
    token = pins.get_pin_token(pin, permission, RP["id"])
    return protocol.authenticate(token, HASH), protocol.VERSION


def make(alg=-7, pin=PIN, **more):
    params = [{"type": "public-key", "alg": alg}]
    mac, version = proof(MAKE, pin) if pin else (None, None)
    made = ctap.make_credential(
        HASH, RP, USER, params, pin_uv_param=mac, pin_uv_protocol=version, **more
    )
    assert made.fmt == "packed", made
    PackedAttestation().verify(made.att_stmt, made.auth_data, HASH)
    return made.auth_data


def allow(*made):
    return [{"type": "public-key", "id": one.credential_data.credential_id} for one in made]


def get(made, pin=None, **more):
    mac, version = proof(ASSERT, pin) if pin else (None, None)
    said = ctap.get_assertion(
        RP["id"], HASH, allow(made), pin_uv_param=mac, pin_uv_protocol=version, **more
    )
    said.verify(HASH, made.credential_data.public_key)
    assert said.credential["id"] == made.credential_data.credential_id
    return said.auth_data


def secrets(made, *salts, pin=None):
    key, shared = pins._get_shared_secret()
    salts = protocol.encrypt(shared, b"".join(salts))
    given = {1: key, 2: salts, 3: protocol.authenticate(shared, salts), 4: protocol.VERSION}
    data = get(made, pin, extensions={"hmac-secret": given})
    return protocol.decrypt(shared, data.extensions["hmac-secret"])


def refused(code, what):
    try:
        what()
    except CtapError as error:
        assert error.code == code, (error, code)
    else:
        raise AssertionError(f"{code!r} was expected")
