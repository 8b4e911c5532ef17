"""Why each document of the official list is asked for, in a sentence for the person who has to find it."""

from __future__ import annotations

from typing import Final

from portal.core.language import N_, Message

PURPOSES: Final[dict[str, Message]] = {
    "DOC-02": N_("Shows what is made, for whom, at what cost and with what return; experts read it first."),
    "DOC-03": N_("Lets the experts follow each figure: keep the formulas in the cells."),
    "DOC-07": N_("Shows that the participants have agreed on the project and that the initiator may act for them."),
    "DOC-08": N_("Shows that the members of the cluster will really supply and buy the product."),
    "DOC-09": N_("The specialised organisation confirms that the project fits the cluster's programme and map."),
    "DOC-10": N_("The pages of the cluster's programme and map on which the project stands."),
    "DOC-11": N_("Shows that the organisation exists and who may sign; anybody gets it from the tax service free."),
    "DOC-12": N_("Shows that no taxes are owed. Order it from the tax service a week before you submit."),
    "DOC-13": N_("The head states in one letter what each participant declares in the form."),
    "DOC-14": N_("Shows that the one who signs may sign."),
    "DOC-15": N_("Shows that the organisation can carry its part of the project."),
    "DOC-16": N_("Contracts, invoices and acts, with a register that names them one by one."),
    "DOC-17": N_("A bank's letter, a loan contract or a statement: shows that the own part of the money is there."),
    "DOC-18": N_("A market study, or the conclusion that no Russian product of this kind is made."),
    "DOC-19": N_("Shows that there are buyers abroad, and that the product may be sold there."),
    "DOC-20": N_("Without it the fund may neither publish the result nor check how the money was used."),
    "DOC-21": N_("Adds to the score where the project raises productivity with a competence centre."),
}
