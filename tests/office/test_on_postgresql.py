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
from tests.office.test_invitations import (
    test_a_link_is_accepted_once_however_many_send_it_at_once,
    test_a_link_of_one_shop_opens_no_other_whoever_was_first,
    test_a_new_link_replaces_the_one_before_and_one_taken_back_opens_nothing,
    test_an_account_that_a_shop_adds_opens_nothing_before_it_has_accepted,
    test_an_owner_lets_somebody_in_by_a_link_that_is_shown_once,
    test_an_owner_who_has_not_accepted_is_no_owner,
    test_the_log_tells_of_a_shops_own_invitations_alone,
    test_who_was_quicker_with_another_link_keeps_their_password,
)
from tests.office.test_links_and_first_steps import (
    test_a_clerk_makes_a_link_somebody_pays_by_it_and_it_is_switched_off,
    test_credentials_are_stored_only_when_qfpay_accepts_them,
)
from tests.office.test_people import (
    test_a_role_counts_at_once_and_a_shop_keeps_an_owner,
)
from tests.office.test_second_factor import (
    test_a_code_is_used_once_whoever_has_seen_it,
    test_a_recovery_code_stands_in_for_a_lost_phone_once,
    test_five_wrong_codes_ask_for_the_password_again,
    test_in_a_day_fifty_codes_are_guessed_and_a_right_one_does_not_start_the_count_anew,
    test_who_knows_the_password_guesses_ten_codes_from_wherever_they_ask,
)
from tests.office.test_signing_in import (
    test_a_name_that_no_database_holds_is_refused,
    test_another_password_ends_every_sign_in,
    test_signing_out_everywhere_ends_every_browser,
    test_who_guesses_is_slowed_down_and_the_person_at_their_desk_is_not,
)

__all__ = [
    "bo",
    "test_a_clerk_makes_a_link_somebody_pays_by_it_and_it_is_switched_off",
    "test_a_code_is_used_once_whoever_has_seen_it",
    "test_a_flood_is_an_entry_for_each_tenfold_effort_and_one_row",
    "test_a_link_is_accepted_once_however_many_send_it_at_once",
    "test_a_link_of_one_shop_opens_no_other_whoever_was_first",
    "test_a_name_that_no_database_holds_is_refused",
    "test_a_new_link_replaces_the_one_before_and_one_taken_back_opens_nothing",
    "test_a_recovery_code_stands_in_for_a_lost_phone_once",
    "test_a_role_counts_at_once_and_a_shop_keeps_an_owner",
    "test_a_secret_and_a_key_are_rotated_with_traffic_running_and_nothing_is_refused",
    "test_an_account_that_a_shop_adds_opens_nothing_before_it_has_accepted",
    "test_an_owner_lets_somebody_in_by_a_link_that_is_shown_once",
    "test_an_owner_who_has_not_accepted_is_no_owner",
    "test_another_password_ends_every_sign_in",
    "test_credentials_are_stored_only_when_qfpay_accepts_them",
    "test_five_wrong_codes_ask_for_the_password_again",
    "test_in_a_day_fifty_codes_are_guessed_and_a_right_one_does_not_start_the_count_anew",
    "test_nothing_that_opens_a_door_happens_without_a_proof",
    "test_signing_out_everywhere_ends_every_browser",
    "test_sites_that_embed_are_a_door_and_ask_who_is_there",
    "test_the_log_tells_of_a_shops_own_invitations_alone",
    "test_what_a_colleague_has_changed_meanwhile_is_not_overwritten_unseen",
    "test_who_guesses_is_slowed_down_and_the_person_at_their_desk_is_not",
    "test_who_knows_the_password_guesses_ten_codes_from_wherever_they_ask",
    "test_who_was_quicker_with_another_link_keeps_their_password",
    "test_wrong_passwords_for_somebody_are_told_and_for_nobody_are_not",
]

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
