"""The QR code as a phone's camera sees it: drawn from the very SVG that the page holds, and read back."""

import re
from xml.etree import ElementTree as Xml

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from checkout.domain.qr import QUIET_ZONE, Code, draw, level_for

SCALE = 4  # pixels a module


def picture(code: Code) -> Image.Image:
    """Paint the SVG's one path of horizontal strokes, as a browser would."""
    side = code.modules * SCALE
    image = Image.new("L", (side, side), 255)
    pen, (path,) = ImageDraw.Draw(image), re.findall(r'stroke="#000" d="([^"]+)"', code.svg)
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", path):
        values = [float(number) for number in numbers.split()]
        if command == "h":
            corner = (x * SCALE, (y - 0.5) * SCALE)
            pen.rectangle((*corner, (x + values[0]) * SCALE - 1, (y + 0.5) * SCALE - 1), fill=0)
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    return image


# fmt: off
TEXTS = {
    "short":       "https://qr.alipay.com/bax03112",
    "usual":       "https://qr.alipayhk.com/281002040/" + "k3Jd9" * 30,
    "long":        "https://openapi.alipay.com/gateway.do?" + "sign=Ab3%2F&" * 50,  # over 512, as QFPay's samples are
    "very long":   "https://openapi.alipay.com/gateway.do?" + "sign=Ab3%2F&" * 165,
    "not a link":  "alipays://platformapi/startapp?appId=60000157&orderSuffix=h5_route_token%3D%22R%22",
    "Chinese":     "https://qr.alipay.com/港幣?名=茶",
}
# fmt: on


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_camera_reads_exactly_what_was_drawn(text: str) -> None:
    (read,) = zxingcpp.read_barcodes(picture(draw(text)))
    assert read.text == text


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_svg_can_stand_in_a_page_with_the_strictest_policy(text: str) -> None:
    code = draw(text)
    assert code.svg.startswith("<svg data-qr")
    svg = Xml.fromstring(code.svg.replace("data-qr", 'data-qr=""', 1))  # noqa: S314 - our own drawing
    attributes = {name for element in svg.iter() for name in element.attrib}
    assert attributes <= {"data-qr", "viewBox", "d", "stroke", "fill", "transform"}
    assert svg.attrib["viewBox"] == f"0 0 {code.modules} {code.modules}"


def test_it_is_dark_on_light_with_its_quiet_zone() -> None:
    code = draw("https://qr.alipay.com/x")
    edge = QUIET_ZONE * SCALE
    image = picture(code)
    assert set(image.crop((0, 0, edge, image.height)).tobytes()) == {255}
    assert image.getpixel((edge, edge)) == 0
    assert 'fill="#fff"' in code.svg


@pytest.mark.parametrize(("length", "level"), [(1, "q"), (60, "q"), (61, "m"), (300, "m"), (301, "l"), (2048, "l")])
def test_a_long_text_has_less_redundancy(length: int, level: str) -> None:
    assert level_for("x" * length) == level


def test_a_longer_text_never_makes_a_smaller_module_count_by_much() -> None:
    sizes = [draw("x" * length).modules for length in (20, 235, 512, 2048)]
    assert sizes == sorted(sizes)
    assert sizes[2] <= 93 + 2 * QUIET_ZONE  # 280 px still give a module of 2.7 px
