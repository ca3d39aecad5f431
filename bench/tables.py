"""Tables that read well in a terminal and in Markdown."""

from collections.abc import Sequence


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, with columns of equal width; numbers to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = f"| {' | '.join('-' * w if c == 0 else '-' * (w - 1) + ':' for c, w in enumerate(widths))} |"
    return "\n".join([f"### {title}", "", line(header), rule, *map(line, rows), ""])
