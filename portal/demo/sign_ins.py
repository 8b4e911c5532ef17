"""Who signs in to the demo: nobody real, each called by the role; one password for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from portal.identity.models import Role

PASSWORD: Final = "Demo-Portal-2018"  # noqa: S105 - the demo's passwords are public
DOMAIN: Final = "demo.example"
EXPERTS: Final = 12
EXPERTS_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the demo; ``account`` stands before the domain of the address."""

    account: str
    name_ru: str
    name_en: str
    locale: str = "ru"
    roles: tuple[Role, ...] = ()

    @property
    def email(self) -> str:
        return f"{self.account}@{DOMAIN}"

    @property
    def name(self) -> str:
        return self.name_ru if self.locale == "ru" else self.name_en


FUND: Final = (
    Person("admin", "Демо-администратор", "Demo Administrator", roles=(Role.ADMINISTRATOR,)),
    Person("officer", "Демо-сотрудник фонда", "Demo Officer", roles=(Role.OFFICER,)),
    Person("chair", "Демо-председатель комиссии", "Demo Chair", roles=(Role.CHAIR,)),
    Person("commission", "Демо-член комиссии", "Demo Commission Member", roles=(Role.COMMISSION,)),
    *(
        Person(
            f"commission{number}",
            f"Демо-член комиссии {number}",
            f"Demo Commission Member {number}",
            roles=(Role.COMMISSION,),
        )
        for number in (2, 3, 4)
    ),
    Person("director", "Демо-директор департамента", "Demo Department Director", roles=(Role.DIRECTOR,)),
    Person("finance", "Демо-финансовый сотрудник", "Demo Finance Officer", roles=(Role.FINANCE,)),
    Person("auditor", "Демо-аудитор", "Demo Auditor", "en", (Role.AUDITOR,)),
    *(
        Person(
            f"reviewer{number}",
            f"Демо-эксперт {number:02}",
            f"Demo Expert {number:02}",
            "en" if number % 3 == 0 else "ru",
            (Role.REVIEWER,),
        )
        for number in range(1, EXPERTS + 1)
    ),
)

INITIATOR: Final = Person("initiator", "Демо-руководитель инициатора", "Demo Initiator Owner")
PARTNER: Final = Person("signatory", "Демо-подписант участника", "Demo Participant Signatory")
EDITOR: Final = Person("editor", "Демо-редактор инициатора", "Demo Initiator Editor", "en")
VIEWER: Final = Person("viewer", "Демо-читатель инициатора", "Demo Initiator Viewer")
CENTRE: Final = Person("centre", "Демо-специализированная организация", "Demo Specialised Organisation")
NEWCOMER: Final = Person("newcomer", "Демо-руководитель новой организации", "Demo Newcomer Owner")

SHOWN: Final = (
    *(person for person in FUND if Role.REVIEWER not in person.roles),
    *[person for person in FUND if Role.REVIEWER in person.roles][:EXPERTS_SHOWN],
    INITIATOR,
    PARTNER,
    EDITOR,
    VIEWER,
    CENTRE,
    NEWCOMER,
)

SIGN_INS: Final = [
    {
        "email": person.email,
        "password": PASSWORD,
        "label_ru": person.name_ru,
        "label_en": person.name_en,
    }
    for person in SHOWN
]
