"""Everything on one machine, for development: migrations, a merchant, then web, worker, sandbox and demo shop."""

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path(__file__).resolve().parent
OWNER = "owner@demo.example"
NOTES = ROOT / "instance" / "dev.json"
ALIPAY_KEY = ROOT / "instance" / "alipay_app.pem"
ANYWHERE = "0.0.0.0"  # noqa: S104 - only compared with: the person who set HOST wants the phone to reach us


def keys() -> dict[str, str]:
    """Made once for this checkout, so that yesterday's demo orders can still be read today."""
    NOTES.parent.mkdir(exist_ok=True)
    made = dict(json.loads(NOTES.read_text())) if NOTES.exists() else {}
    if "owner_password" not in made:
        made = {
            "app_code": "SANDBOX" + secrets.token_hex(12).upper(),
            "client_key": secrets.token_hex(16),
            "api_key": "sk_" + secrets.token_urlsafe(32),
            "webhook_secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "owner_password": "-".join(secrets.token_hex(2) for _ in range(4)),
        } | made
        with os.fdopen(os.open(NOTES, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as new:
            json.dump(made, new)
    return made


def alipay_key() -> str:
    """A throw-away key for an app that only the sandbox's Alipay knows."""
    if not ALIPAY_KEY.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(ALIPAY_KEY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as new:
            new.write(text)
    return ALIPAY_KEY.read_text()


def lan_address() -> str:
    """This machine's address in the local network, as a phone beside it sees it. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def environment() -> dict[str, str]:
    """Settings for the whole ensemble; whatever is already set in the shell wins."""
    made, env = keys(), dict(os.environ)
    port, host = env.setdefault("PORT", "8000"), env.setdefault("HOST", "127.0.0.1")
    env.setdefault("PUBLIC_URL", f"http://{lan_address() if host == ANYWHERE else '127.0.0.1'}:{port}")
    if "QFPAY_APP_CODE" in env:  # somebody's own credentials: then it is their gateway, and only theirs
        return env
    return env | {
        "SANDBOX": "1",
        "DEMO_SHOP": "1",
        "QFPAY_APP_CODE": made["app_code"],
        "QFPAY_CLIENT_KEY": made["client_key"],
        "QFPAY_BASE_URL": f"http://127.0.0.1:{port}/sandbox",
        "MERCHANT_NAME": env.get("MERCHANT_NAME", "Lantern Street Tea"),
        "MERCHANT_API_KEY": made["api_key"],
        "MERCHANT_WEBHOOK_URL": f"http://127.0.0.1:{port}/demo/webhook",
        "MERCHANT_WEBHOOK_SECRET": made["webhook_secret"],
        "DEMO_API_KEY": made["api_key"],
        "DEMO_WEBHOOK_SECRET": made["webhook_secret"],
        "DEMO_OWNER_PASSWORD": made["owner_password"],
        "ALIPAY_APP_ID": "2021000000000000",
        "ALIPAY_PRIVATE_KEY": alipay_key(),
        "ALIPAY_AUTH_URL": f"{env['PUBLIC_URL']}/sandbox/alipay/authorize",
        "ALIPAY_GATEWAY_URL": f"http://127.0.0.1:{port}/sandbox/alipay/gateway.do",
    }


def announce(env: dict[str, str]) -> None:
    url = env["PUBLIC_URL"]
    lines = [f"Checkout      {url}"]
    if env.get("SANDBOX"):
        lines = [f"Demo shop     {url}/demo/", *lines, f"Sandbox       {url}/sandbox/   (pretend QFPay and its wallet)"]
    if "DEMO_OWNER_PASSWORD" in env:
        lines.append(f"Back office   {url}/merchant   ({OWNER}, password {env['DEMO_OWNER_PASSWORD']})")
    if env["HOST"] == ANYWHERE:
        lines.append("A phone in the same network opens the same addresses.")
    print("\n" + "\n".join(f"  {line}" for line in lines) + "\n\n  Ctrl-C stops all of it.\n", flush=True)


def main() -> int:
    env = environment()
    python = sys.executable
    subprocess.run([python, "-m", "flask", "--app", "app", "db", "upgrade"], env=env, cwd=ROOT, check=True)
    if "DEMO_OWNER_PASSWORD" in env:
        command = [python, "-m", "flask", "--app", "app", "person", "demo", "--email", OWNER]
        subprocess.run(command, env=env, cwd=ROOT, check=True)
    announce(env)
    web = subprocess.Popen([python, "-m", "gunicorn", "app:create_app()"], env=env, cwd=ROOT)
    # Ctrl-C reaches gunicorn by itself; a plain SIGTERM to us must be passed on.
    signal.signal(signal.SIGTERM, lambda *_: web.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return web.wait()


if __name__ == "__main__":
    sys.exit(main())
