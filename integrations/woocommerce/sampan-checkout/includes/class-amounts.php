<?php
/** WooCommerce's decimals and Sampan's whole minor units. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

defined('ABSPATH') || exit;

final class Amounts
{
    // The currencies that QFPay takes, with their decimals; the shop's own display setting may say otherwise.
    private const DECIMALS = [
        'AED' => 2, 'AUD' => 2, 'CAD' => 2, 'CNY' => 2, 'EUR' => 2, 'HKD' => 2, 'IDR' => 2,
        'JPY' => 0, 'MMK' => 2, 'MYR' => 2, 'SGD' => 2, 'THB' => 2, 'USD' => 2,
    ];

    public static function takes(string $currency): bool
    {
        return isset(self::DECIMALS[$currency]);
    }

    /**
     * 8800 for '88.00' HKD. Throws RangeException for what the currency cannot hold, such as half a yen: a shopper must
     * never be asked for another amount than the order says.
     *
     * @param string|float|int $amount as WooCommerce keeps it
     */
    public static function minor($amount, string $currency): int
    {
        if (!self::takes($currency)) {
            throw new \RangeException("QFPay does not take $currency");
        }
        [$whole, $fraction] = explode('.', number_format((float) $amount, 6, '.', ''));
        $decimals = self::DECIMALS[$currency];
        if (trim(substr($fraction, $decimals), '0') !== '') {
            throw new \RangeException("$amount $currency has more than $decimals decimals");
        }
        return (int) ($whole . substr($fraction, 0, $decimals));
    }

    /** '88.00' for 8800 HKD: for a person, or for WooCommerce. */
    public static function major(int $minor, string $currency): string
    {
        $decimals = self::DECIMALS[$currency] ?? 2;
        return number_format($minor / 10 ** $decimals, $decimals, '.', '');
    }
}
