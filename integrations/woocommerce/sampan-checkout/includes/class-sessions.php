<?php
/** Sending a shopper to Sampan: one session for an order and a price, however often the button is pressed. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

use Sampan\ApiException;
use Sampan\Client;

defined('ABSPATH') || exit;

final class Sessions
{
    private const ATTEMPT = '_sampan_attempt';
    private const MOST_ITEMS = 100;

    /**
     * Where the shopper goes next: to Sampan, or on, if the order turns out to be paid.
     *
     * Throws SampanException, RangeException for a total that the currency cannot hold, RuntimeException when the order is
     * busy.
     */
    public static function address_for(int $order_id, string $return_url): string
    {
        $address = '';
        $free = Orders::locked($order_id, static function (\WC_Order $order) use (&$address, $return_url): void {
            $api = Connection::api();
            $open = self::still_open($api, $order);
            if ($order->is_paid()) {
                $address = $return_url;
                return;
            }
            $session = $open ?? self::open($api, $order, $return_url);
            $address = (string) $session['url'];
        });
        if (!$free || $address === '') {
            throw new \RuntimeException('this order is being paid at this moment');
        }
        return $address;
    }

    /** The session that the shopper was sent to before, if it can still be paid and costs what the order costs. */
    private static function still_open(Client $api, \WC_Order $order): ?array
    {
        $id = (string) $order->get_meta(Orders::CURRENT);
        if ($id === '') {
            return null;
        }
        try {
            $session = $api->getSession($id);
            if ($session['status'] === 'open' && !Orders::is_price_of($order, $session)) {
                $session = $api->cancelSession($id); // the cart has changed
            }
        } catch (ApiException $error) {
            if ($error->status === 404) {
                return null; // of another Sampan, or another merchant's: the settings were changed
            }
            throw $error;
        }
        Orders::learn($order, $session);
        return $session['status'] === 'open' && Orders::is_price_of($order, $session) ? $session : null;
    }

    /** The number of the attempt is stored before the call, so that a lost answer is asked for again under the same key. */
    private static function open(Client $api, \WC_Order $order, string $return_url): array
    {
        $body = self::body($order, $return_url);
        $attempt = (int) $order->get_meta(self::ATTEMPT) ?: 1;
        $order->update_meta_data(self::ATTEMPT, $attempt);
        $order->save();
        $digest = substr(hash('sha256', (string) wp_json_encode($body)), 0, 16);
        $session = $api->createSession($body, "wc-{$order->get_order_key()}-$attempt-$digest");
        $order->update_meta_data(self::ATTEMPT, $attempt + 1);
        $order->update_meta_data(Orders::CURRENT, $session['id']);
        Orders::learn($order, $session);
        return $session;
    }

    private static function body(\WC_Order $order, string $return_url): array
    {
        $amount = Amounts::minor($order->get_total(), $order->get_currency());
        $late = Connection::setting('late_payment');
        $body = [
            'amount' => $amount,
            'currency' => $order->get_currency(),
            'reference' => self::text((string) $order->get_order_number(), 128),
            'description' => self::text(get_bloginfo('name'), 500),
            'items' => self::items($order, $amount),
            'return_url' => $return_url,
            'cancel_url' => $order->get_checkout_payment_url(),
            'wallets' => Connection::wallets(),
            'locale' => self::locale(determine_locale()),
            'late_payment' => in_array($late, ['hold', 'accept', 'refund'], true) ? $late : 'hold',
            'metadata' => ['order_id' => (string) $order->get_id(), 'order_key' => $order->get_order_key()],
        ];
        return array_filter($body, static fn ($value) => $value !== null && $value !== []);
    }

    /** What is bought, line by line, or nothing: a list that does not add up helps nobody. */
    private static function items(\WC_Order $order, int $amount): array
    {
        $items = [];
        foreach ($order->get_items(['line_item', 'shipping', 'fee']) as $item) {
            $total = round((float) $item->get_total() + (float) $item->get_total_tax(), wc_get_price_decimals());
            try {
                $minor = Amounts::minor($total, $order->get_currency());
            } catch (\RangeException $error) {
                return [];
            }
            $name = self::text($item->get_name(), 200);
            $quantity = $item->get_quantity();
            if ($minor < 0 || $name === '' || (int) $quantity != $quantity || $quantity < 1) {
                return [];
            }
            $items[] = ['name' => $name, 'quantity' => (int) $quantity, 'amount' => $minor];
        }
        $adds_up = array_sum(array_column($items, 'amount')) === $amount && count($items) <= self::MOST_ITEMS;
        return $adds_up ? $items : [];
    }

    private static function text(string $text, int $longest): string
    {
        $plain = trim((string) preg_replace('/[\p{Cc}\s]+/u', ' ', wp_strip_all_tags(html_entity_decode($text, ENT_QUOTES))));
        return (string) preg_replace('/^(.{0,' . $longest . '}).*$/us', '$1', $plain);
    }

    /** Null leaves the choice to the shopper's browser. */
    private static function locale(string $locale): ?string
    {
        if (preg_match('/^zh_(HK|TW|MO)/', $locale)) {
            return 'zh-HK';
        }
        return strpos($locale, 'zh') === 0 ? 'zh-CN' : (strpos($locale, 'en') === 0 ? 'en' : null);
    }
}
