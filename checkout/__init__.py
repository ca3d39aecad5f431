"""Sampan, a hosted checkout for QFPay wallets: web calls services, services call store and gateway, all use domain."""
