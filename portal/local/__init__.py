"""One machine without services of its own: PostgreSQL, Redis and an SMTP sink, started by the portal itself.

Those given by URL (``DATABASE_URL``, ``REDIS_URL``, ``MAIL_URL``) are used as they are, the rest is started.
``python -m portal.local run`` (``make run``) runs the whole portal on top; the tests use
:func:`ephemeral_services`. Production gives all three URLs and needs nothing of this room.
"""

from portal.local.machine import Services, ephemeral_services, services
from portal.local.process import ServiceError
from portal.local.smtp import ReceivedMail, received

__all__ = ["ReceivedMail", "ServiceError", "Services", "ephemeral_services", "received", "services"]
