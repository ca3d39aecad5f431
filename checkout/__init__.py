"""Sampan, a hosted checkout for QFPay wallets. Imports point right and down: web, services, store and gateway, domain."""
