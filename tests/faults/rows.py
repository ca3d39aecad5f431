"""Every fault that the service must survive, by number: what the tests in this folder are named after."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`why_not` says why no test can be named after it; `differs` where we do otherwise than most would, and why."""

    number: int
    title: str
    why_not: str = ""
    differs: str = ""

    @property
    def name(self) -> str:
        return f"F{self.number}"


# fmt: off
ROWS = {number: Row(number, *rest) for number, *rest in (
    (1,  "No connection to the gateway: no name, refused, bad TLS, or too many calls", "",
         "after HTTP 429 the retry is the shopper's own, with a new number: a limit that counts minutes is not met "
         "by the same call a second later"),
    (2,  "No answer, and the gateway never had the order"),
    (3,  "No answer, though the gateway has the order"),
    (4,  "HTTP 5xx, with and without effect"),
    (5,  "Answers that are no proper JSON, or not the JSON that we know"),
    (6,  "A web page, a login page, a compressed bomb, a redirect instead of an answer"),
    (7,  "An answer that drips, byte by byte"),
    (8,  "An answer whose signature is wrong"),
    (9,  "An answer for another number, amount, currency or pay type"),
    (10, "A success without an address that a shopper may be sent to"),
    (11, "“Still processing”, for ever", "",
         "1143 five minutes after a code's end is unpaid, as QFPay's own record of an abandoned order says for ever; "
         "money that comes all the same is booked"),
    (12, "“That number was used before”", "",
         "a person is called when the code's time is over, not before: until then an order that nobody has scanned "
         "may have no record either, and the shopper pays under a fresh number"),
    (13, "Wrong clocks and time zones"),
    (14, "The edge of a month"),
    (15, "The gateway is down for hours"),
    (16, "The same notification many times, and at once"),
    (17, "A notification a day late"),
    (18, "News in any order"),
    (19, "Forged notifications"),
    (20, "Genuine notifications, replayed"),
    (21, "A notification before the answer to the payment call is stored"),
    (22, "A genuine notification for a number that is not in our books"),
    (23, "A notification while the database is down"),
    (24, "A genuine notification about other terms"),
    (25, "Enquiry and notification contradict each other"),
    (26, "Several records for one number, refunds and strangers among them, over several pages"),
    (27, "The call succeeded, the payment did not"),
    (28, "Too many enquiries", "",
         "no jitter: all questions of one credential are one call at a time, so there is no herd to spread"),
    (29, "Our processes killed at any point"),
    (30, "Workers that time out, are recycled, stopped, killed"),
    (31, "Double clicks, several tabs and devices, repeated requests"),
    (32, "Another wallet while the first code can still be paid"),
    (33, "Paid around the deadline"),
    (34, "Cancelled by the shop while the shopper pays"),
    (35, "The worker is away for hours"),
    (36, "A worker that stalls while it holds a lease, and wakes"),
    (37, "Two versions side by side during a deployment"),
    (38, "Many refunds of one payment at once"),
    (39, "No answer to a refund, or killed while refunding"),
    (40, "Refunds that must wait, or can never be"),
    (41, "A refund made in the gateway's own portal"),
    (42, "A merchant's refund while the surplus goes back by itself"),
    (43, "PostgreSQL restarts, or is killed"),
    (44, "The answer to a COMMIT is lost"),
    (45, "A stand-by that misses the last commits takes over"),
    (46, "The database becomes read-only"),
    (47, "Deadlocks, lock time-outs, a busy SQLite"),
    (48, "No connection left to the database"),
    (49, "A full disk"),
    (50, "SQLite on a disk that does not outlive a restart"),
    (51, "A backup is restored"),
    (52, "Redis away, slow or empty",
         "nothing is in Redis: limits, budgets and queues are rows of the one database, and this build uses no Redis"),
    (53, "A merchant's endpoint in every kind of trouble"),
    (54, "Killed after the endpoint's yes, before ours is stored"),
    (55, "An endpoint inside somebody's own network"),
    (56, "A webhook secret rotated while deliveries are under way"),
    (57, "A merchant repeats a creation"),
    (58, "A merchant's API key is replaced while payments are under way"),
)}
# fmt: on
