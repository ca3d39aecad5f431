"""What moves rights or opens doors, once more on PostgreSQL; refunds and reviews are on both where they stand.

The other stories of the back office are about pages, which read the same.
"""

import pytest

from tests.office.test_branding import (
    test_sites_that_embed_are_a_door_and_ask_who_is_there,
    test_what_a_colleague_has_changed_meanwhile_is_not_overwritten_unseen,
)
from tests.office.test_denials import (
    test_a_flood_is_an_entry_for_each_tenfold_effort_and_one_row,
    test_wrong_passwords_for_somebody_are_told_and_for_nobody_are_not,
)
from tests.office.test_endpoints_and_keys import (
    bo,
    test_a_secret_and_a_key_are_rotated_with_traffic_running_and_nothing_is_refused,
    test_nothing_that_opens_a_door_happens_without_a_proof,
)
from tests.office.test_links_and_first_steps import (
    test_a_clerk_makes_a_link_somebody_pays_by_it_and_it_is_switched_off,
    test_credentials_are_stored_only_when_qfpay_accepts_them,
)
from tests.office.test_people import (
    test_a_role_counts_at_once_and_a_shop_keeps_an_owner,
    test_an_owner_lets_somebody_in_by_a_link_that_is_shown_once,
    test_another_shops_owner_cannot_become_somebody_by_inviting_them,
)
from tests.office.test_second_factor import (
    test_a_code_is_used_once_whoever_has_seen_it,
    test_a_recovery_code_stands_in_for_a_lost_phone_once,
    test_five_wrong_codes_ask_for_the_password_again,
)
from tests.office.test_signing_in import (
    test_another_password_ends_every_sign_in,
    test_signing_out_everywhere_ends_every_browser,
    test_who_guesses_is_slowed_down_and_the_person_at_their_desk_is_not,
)

__all__ = [
    "bo",
    "test_a_clerk_makes_a_link_somebody_pays_by_it_and_it_is_switched_off",
    "test_a_code_is_used_once_whoever_has_seen_it",
    "test_a_flood_is_an_entry_for_each_tenfold_effort_and_one_row",
    "test_a_recovery_code_stands_in_for_a_lost_phone_once",
    "test_a_role_counts_at_once_and_a_shop_keeps_an_owner",
    "test_a_secret_and_a_key_are_rotated_with_traffic_running_and_nothing_is_refused",
    "test_an_owner_lets_somebody_in_by_a_link_that_is_shown_once",
    "test_another_password_ends_every_sign_in",
    "test_another_shops_owner_cannot_become_somebody_by_inviting_them",
    "test_credentials_are_stored_only_when_qfpay_accepts_them",
    "test_five_wrong_codes_ask_for_the_password_again",
    "test_nothing_that_opens_a_door_happens_without_a_proof",
    "test_signing_out_everywhere_ends_every_browser",
    "test_sites_that_embed_are_a_door_and_ask_who_is_there",
    "test_what_a_colleague_has_changed_meanwhile_is_not_overwritten_unseen",
    "test_who_guesses_is_slowed_down_and_the_person_at_their_desk_is_not",
    "test_wrong_passwords_for_somebody_are_told_and_for_nobody_are_not",
]

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
