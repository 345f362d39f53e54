"""Domains of sites: whether DNS is as it should be."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from server.adapter import ANYONE, Routes
from server.adapters.flowershow import schema
from server.adapters.flowershow.stores import STORES
from server.http import reply
from server.identity import IDENTITY
from server.sites.domains import apex_of

ROUTES = Routes("Domain")


@ROUTES.get(
    "/api/domain/{domain}/verify",
    access=ANYONE.limited("flowershow-domains"),
    reply=schema.DomainStatus,
)
async def verify(request: web.Request) -> web.Response:
    """Look how a domain is configured; it serves once its TXT record names the site.

    Always 200: `status` says what is the matter, `verification` which records are missing.
    """
    domain = request.match_info["domain"].strip().rstrip(".").lower()
    now = datetime.fromtimestamp(request.app[IDENTITY].clock(), UTC)
    found = await request.app[STORES].domains.verify(domain, now)
    told = schema.DomainStatus(
        status=found.status.value,
        domain_json=schema.Domain(
            name=domain,
            apex_name=apex_of(domain),
            project_id="" if found.site is None else found.site.id,
            verified=found.site is not None and found.site.own_domain is not None,
            verification=[
                schema.Record(
                    type=each.type, domain=each.name, value=each.value, reason=each.reason
                )
                for each in found.wanted
            ],
        ),
    )
    return reply(told, headers={"Cache-Control": "no-store, max-age=0"})
