"""A small authoritative DNS server on loopback, whose records a test writes down."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP: what there is, NXDOMAIN for other names, or SERVFAIL where it is broken."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        """By name and kind: the records as a zone file has them."""
        self.broken = False
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> NameServer:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]
        return self

    def stop(self) -> None:
        """Listen no more."""
        assert self._transport is not None
        self._transport.close()

    def put(self, name: str, kind: str, *values: str) -> None:
        """Write records down, in the place of what stood there."""
        self.records[name, kind] = list(values)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a question."""
        assert self._transport is not None
        self._transport.sendto(self._answer(dns.message.from_wire(data)).to_wire(), addr)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        if self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), question.rdtype
        for each in ("CNAME", dns.rdatatype.to_text(kind)):
            values = self.records.get((name.lower(), each))
            if values:
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", each, *values))
                if each == "CNAME" and kind != dns.rdatatype.CNAME:
                    return answer
        if not answer.answer and not any(known == name.lower() for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
