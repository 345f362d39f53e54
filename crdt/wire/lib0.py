"""lib0's encoding of numbers, bytes and text: what every frame and every update is made of.

    varUint   = 7 bits a byte, least significant first, high bit = more follows; at most 53 bits
    varBytes  = varUint(length) bytes
    varString = varUint(length in bytes) UTF-8

Readers take an offset and answer the value with the offset of what follows. On any input they raise
WireError and nothing else.
"""

from typing import Final

from crdt.errors import WireError

UINT_MAX: Final = (1 << 53) - 1
"""The greatest whole number that lib0 reads and writes."""


def var_uint(number: int) -> bytes:
    """Encode a whole number of at most 53 bits."""
    if number < 0x80:
        assert number >= 0
        return _ONE_BYTE[number]
    assert number <= UINT_MAX
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def var_bytes(data: bytes) -> bytes:
    """Encode bytes behind their length."""
    return var_uint(len(data)) + data


def var_string(text: str) -> bytes:
    """Encode text behind its length in bytes."""
    return var_bytes(text.encode())


def read_var_uint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number at offset `at`; answers it and the offset of what follows.

    Longer forms of a number are taken as lib0 takes them (`80 00` is 0), up to 53 bits of value.
    """
    try:
        byte = data[at]
        if byte < 0x80:
            return byte, at + 1
        number = byte & 0x7F
        shift = 7
        while True:
            at += 1
            byte = data[at]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise WireError("bad-varint")
    except IndexError:
        raise WireError("truncated") from None
    if number > UINT_MAX:
        raise WireError("bad-varint")
    return number, at + 1


def read_var_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Read bytes behind their length at `at`; answers them and the offset of what follows."""
    length, at = read_var_uint(data, at)
    end = at + length
    if end > len(data):
        raise WireError("truncated")
    return data[at:end], end


def read_var_string(data: bytes, at: int, bytes_max: int) -> tuple[str, int]:
    """Read text of at most `bytes_max` bytes at `at`; answers it and the offset of what follows."""
    length, at = read_var_uint(data, at)
    if length > bytes_max:
        raise WireError("too-large")
    end = at + length
    if end > len(data):
        raise WireError("truncated")
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        raise WireError("bad-utf8") from None


_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(0x80))
