"""Mail as aiosmtpd receives it: over STARTTLS, from a sender who has signed in, and as Python's own parser reads it."""

import email
import email.policy
import os
import pathlib
import queue
import socket
import ssl
import subprocess
import tempfile
import unittest

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from rialto import Person, server

USER, PASSWORD = b"rialto", b"open sesame"


class Letterbox:
    """Puts what arrives into a queue."""

    def __init__(self):
        self.arrived = queue.Queue()

    async def handle_DATA(self, server, session, envelope):
        self.arrived.put((session.ssl is not None, session.authenticated, envelope))
        return "250 2.0.0 queued"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(folder):
    """A key and a certificate of localhost that nobody but who is given it trusts."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    extensions = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([*command.split(), *extensions, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return key, cert


class Mail(unittest.TestCase):
    def test_a_mail_leaves_over_starttls_from_a_sender_who_has_signed_in(self):
        if not os.environ.get("RIALTO_BIN"):
            self.skipTest("RIALTO_BIN names no program to start")
        letterbox, port = Letterbox(), free_port()

        def admit(_server, _session, _envelope, _mechanism, given):
            return AuthResult(success=isinstance(given, LoginPassword) and (given.login, given.password) == (USER, PASSWORD))

        with tempfile.TemporaryDirectory(prefix="rialto-mail-") as folder:
            os.chmod(folder, 0o711)
            key, cert = certificate(pathlib.Path(folder))
            cert.chmod(0o644)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(cert, key)
            controller = Controller(
                letterbox, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, authenticator=admit, auth_required=True
            )
            controller.start()
            self.addCleanup(controller.stop)
            os.environ["SSL_CERT_FILE"] = str(cert)
            self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
            settings = {
                "MAIL__TRANSPORT": "smtp",
                "MAIL__FROM": "Rialtö <no-reply@rialto.test>",
                "MAIL__SMTP__HOST": "localhost",
                "MAIL__SMTP__PORT": str(port),
                "MAIL__SMTP__TLS": "starttls",
                "MAIL__SMTP__USERNAME": USER.decode(),
                "MAIL__SMTP__PASSWORD": PASSWORD.decode(),
            }
            with server(**settings) as base:
                ada = Person("Ada", base=base)
                encrypted, authenticated, envelope = letterbox.arrived.get(timeout=60)

        self.assertTrue(encrypted and authenticated)
        self.assertEqual((envelope.mail_from, envelope.rcpt_tos), ("no-reply@rialto.test", [ada.email]))
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.assertEqual(mail.defects, [])
        self.assertEqual(mail["from"].addresses[0].display_name, "Rialtö")
        self.assertEqual(mail["to"].addresses[0].addr_spec, ada.email)
        self.assertEqual(mail["subject"], "Confirm your address for Rialto demo")
        self.assertRegex(mail["message-id"], r"^<[0-9a-f-]{36}@rialto\.test>$")
        self.assertIsNotNone(mail["date"].datetime)
        self.assertEqual(mail.get_content_type(), "text/plain")
        self.assertRegex(mail.get_content(), r"http://\S+/verify\?token=\S+")
        self.assertTrue(letterbox.arrived.empty())


if __name__ == "__main__":
    unittest.main()
