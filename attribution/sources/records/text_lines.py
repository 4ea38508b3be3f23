"""What Arrow's readers do not look at in text, and would get wrong: bytes that are no UTF-8, and carriage returns."""


def is_text(block: bytes) -> bool:
    """Whether the block is UTF-8: Arrow does not look, and what it lets through breaks much later."""
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_lone_return(block: bytes) -> bool:
    """Whether a carriage return stands inside of a line: Arrow would end the line there."""
    return b"\r" in block and block.count(b"\r") != block.count(b"\r\n")
