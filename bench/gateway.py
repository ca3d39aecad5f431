"""A gateway that takes 150 ms and nothing else: `python -m bench.gateway PORT`."""

import asyncio
import json
import sys
from urllib.parse import parse_qs

SECONDS = 0.150
HOST = "127.0.0.1"
# As long as a real address of Alipay's web cashier, so that the QR code is as dense.
TAIL = (
    "?service=create_forex_trade&partner=2088000000000001&_input_charset=UTF-8&subject=Tea&currency=HKD"
    "&product_code=NEW_OVERSEAS_SELLER&sign_type=MD5&sign=0123456789abcdef0123456789abcdef&out_trade_no="
)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection's calls until it is closed."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = int(head.lower().partition("content-length:")[2].split("\r\n", 1)[0] or 0)
            sent = {name: values[0] for name, values in parse_qs((await reader.readexactly(length)).decode()).items()}
            await asyncio.sleep(SECONDS)
            body = json.dumps(answer(sent, int(writer.get_extra_info("sockname")[1]))).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def answer(sent: dict[str, str], port: int) -> dict[str, object]:
    """An accepted order (qfpay.md section 3.4); to an enquiry, that nothing is known of the number."""
    if "txamt" not in sent:
        return {"respcd": "0000", "resperr": "", "respmsg": "", "data": []}
    number = sent["out_trade_no"]
    same: dict[str, object] = {name: sent[name] for name in ("txamt", "txcurrcd", "pay_type", "out_trade_no", "txdtm")}
    return same | {
        "respcd": "0000",
        "resperr": "",
        "respmsg": "",
        "syssn": number,
        "pay_url": f"http://{HOST}:{port}/gateway.do{TAIL}{number}",
    }


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, HOST, port, backlog=256)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
