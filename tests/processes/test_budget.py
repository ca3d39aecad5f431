"""A hundred open pages of one merchant: each is followed closely, and the gateway's limit is kept."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.processes.cast import PAY, QUERY
from tests.stories.cast import Inbox, Merchant, Shopper, World
