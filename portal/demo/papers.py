"""The documents of the demo: small, real PDF files, each saying what it stands for."""

from __future__ import annotations


def paper(title: str, subject: str, author: str = "") -> bytes:
    """A PDF of one page with two lines of Latin text; the same texts give the same bytes.

    ``author``: the organisation that its properties name, as office programs write it into every file.
    """
    lines = (title, subject, "Demo document: it stands for a real one and binds nobody.")
    text = "BT /F1 14 Tf 72 760 Td 20 TL " + " ".join(f"({_escape(line)}) Tj T*" for line in lines) + " ET"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Title ({_escape(title)}) /Author ({_escape(author)}) /Creator (Demo Office) >>",
    )
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n".encode("ascii")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    tail = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 6 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    )
    return content + tail.encode("ascii")


def _escape(line: str) -> str:
    plain = line.encode("ascii", "replace").decode("ascii")
    return plain.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
