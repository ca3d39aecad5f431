<?php
/** What a session of Sampan's means for an order. Called with a verified webhook or a read of the API, nothing else. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

defined('ABSPATH') || exit;

final class Orders
{
    public const CURRENT = '_sampan_session_id'; // where the shopper was sent last
    public const PAID_BY = '_sampan_paid_session'; // the session that paid the order
    public const SESSIONS = '_sampan_sessions'; // the highest version heard of each
    private const HEARD = '_sampan_events';
    private const EVENTS_KEPT = 50;
    private const LOCK_SECONDS = 5;

    /** The order that a session was opened for; null if it is not of this shop. */
    public static function of_session(array $session): ?\WC_Order
    {
        $order = wc_get_order((int) ($session['metadata']['order_id'] ?? 0));
        $key = (string) ($session['metadata']['order_key'] ?? '');
        // Refunds are orders to WooCommerce too, and have no key.
        return $order instanceof \WC_Order && $key !== '' && hash_equals($order->get_order_key(), $key) ? $order : null;
    }

    /**
     * Do it while no other request does something about this order; the order is read again inside.
     *
     * @return bool false if another request has kept it for too long: then nothing was done
     */
    public static function locked(int $order_id, callable $do): bool
    {
        global $wpdb;
        $name = "sampan-{$wpdb->prefix}{$order_id}";
        // The database lets go of it by itself when this request dies. One that has no such locks says null: go on.
        if ((string) $wpdb->get_var($wpdb->prepare('SELECT GET_LOCK(%s, %d)', $name, self::LOCK_SECONDS)) === '0') {
            return false;
        }
        try {
            $order = wc_get_order($order_id);
            if ($order instanceof \WC_Order) {
                $do($order);
            }
        } finally {
            $wpdb->query($wpdb->prepare('SELECT RELEASE_LOCK(%s)', $name));
        }
        return true;
    }

    /** An event that was heard before changes nothing; an old one is worth a note, and moves nothing. */
    public static function hear(\WC_Order $order, string $event_id, array $event): void
    {
        $heard = (array) $order->get_meta(self::HEARD);
        if (in_array($event_id, $heard, true)) {
            return;
        }
        $heard[] = $event_id;
        $order->update_meta_data(self::HEARD, array_slice(array_filter($heard), -self::EVENTS_KEPT));
        $note = self::note_about((string) $event['type'], $event['data']);
        if ($note !== '') {
            $order->add_order_note($note);
        }
        self::learn($order, $event['data']);
        Refunds::learn($order, $event['data']);
        $order->save();
    }

    /** Bring the order up to what the session says, unless something newer was heard of that session. */
    public static function learn(\WC_Order $order, array $session): void
    {
        $known = array_filter((array) $order->get_meta(self::SESSIONS));
        if ((int) ($session['version'] ?? 0) < (int) ($known[$session['id']] ?? 0)) {
            return;
        }
        $known[$session['id']] = (int) ($session['version'] ?? 0);
        $order->update_meta_data(self::SESSIONS, $known);
        if ($session['status'] === 'paid') {
            self::paid($order, $session);
        } elseif (!empty($session['review'])) {
            self::hold($order, __('Sampan: money came that does not fit. Decide about it in Sampan before you deliver.', 'sampan-checkout'));
        } elseif (in_array($session['status'], ['expired', 'cancelled'], true)) {
            self::ended($order, $session);
        }
        $order->save();
    }

    private static function paid(\WC_Order $order, array $session): void
    {
        $by = (string) $order->get_meta(self::PAID_BY);
        if ($by === $session['id']) {
            return;
        }
        if ($by !== '' || $order->is_paid()) {
            self::note_once($order, $session, __('Sampan: this order was paid a second time, by session %s. Refund it in Sampan.', 'sampan-checkout'));
            return;
        }
        if (!empty($session['review'])) {
            self::hold($order, __('Sampan: paid, but a person must look at it in Sampan before you deliver.', 'sampan-checkout'));
            return;
        }
        if (!self::is_price_of($order, $session)) {
            self::hold($order, sprintf(
                /* translators: %s: an amount with its currency */
                __('Sampan: %s was paid, which is not what this order costs now. Look before you deliver.', 'sampan-checkout'),
                Amounts::major((int) $session['amount'], (string) $session['currency']) . ' ' . $session['currency']
            ));
            return;
        }
        $order->update_meta_data(self::PAID_BY, $session['id']);
        $order->save(); // before the order's status sends e-mails and may fail
        $order->payment_complete(self::gateway_number($session));
    }

    private static function ended(\WC_Order $order, array $session): void
    {
        $is_news = $order->get_meta(self::CURRENT) === $session['id'] && $order->has_status('pending');
        if ($is_news && $session['status'] === 'expired') {
            $order->update_status('failed', __('Sampan: not paid in time.', 'sampan-checkout'));
        } elseif ($is_news) {
            self::note_once($order, $session, __('Sampan: the shopper gave up session %s and may choose again.', 'sampan-checkout'));
        }
    }

    /** An order that is paid already stays so: what is being held is the other money. */
    private static function hold(\WC_Order $order, string $note): void
    {
        if (!$order->is_paid() && !$order->has_status(['on-hold', 'refunded'])) {
            $order->update_status('on-hold', $note);
        }
    }

    private static function note_once(\WC_Order $order, array $session, string $note): void
    {
        $mark = '_sampan_noted_' . $session['id'];
        if ($order->get_meta($mark) !== $session['status']) {
            $order->update_meta_data($mark, $session['status']);
            $order->add_order_note(sprintf($note, $session['id']));
        }
    }

    public static function is_price_of(\WC_Order $order, array $session): bool
    {
        try {
            $same = Amounts::minor($order->get_total(), $order->get_currency()) === (int) $session['amount'];
        } catch (\RangeException $error) {
            return false;
        }
        return $same && $order->get_currency() === $session['currency'];
    }

    /** QFPay's number of the payment that was accepted: what the wallet shows, and what support asks for. */
    private static function gateway_number(array $session): string
    {
        foreach ($session['payments'] as $payment) {
            if ($payment['role'] === 'accepted') {
                return (string) $payment['syssn'];
            }
        }
        return '';
    }

    private static function note_about(string $type, array $session): string
    {
        $notes = [
            'payment.late' => __('Sampan: money came after the end of session %s.', 'sampan-checkout'),
            'payment.surplus' => __('Sampan: money came twice in session %s. The surplus goes back by itself.', 'sampan-checkout'),
            'checkout_session.review_opened' => __('Sampan: a person must look at session %s. Do not deliver yet.', 'sampan-checkout'),
            'checkout_session.review_closed' => __('Sampan: a person has looked at session %s.', 'sampan-checkout'),
        ];
        return isset($notes[$type]) ? sprintf($notes[$type], $session['id']) : '';
    }
}
