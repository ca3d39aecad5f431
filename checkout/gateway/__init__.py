"""QFPay in our words. Its spelling, its signatures and the client key stay in this room."""
