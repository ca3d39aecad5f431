<?php
/** The shopper comes back, or never does. Neither moves an order: a signed return and a timer only make us ask. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

use Sampan\Signatures;

defined('ABSPATH') || exit;

final class Returns
{
    /** Before the thank-you page is drawn: if the webhook is not here yet, ask Sampan, so that the page can say "paid". */
    public static function shopper_is_back(): void
    {
        if (!is_order_received_page() || !isset($_GET['session_id'], $_GET['signature'])) {
            return;
        }
        try {
            $back = Signatures::verifyReturn((string) ($_SERVER['REQUEST_URI'] ?? ''), Connection::setting('webhook_secret'));
        } catch (\Exception $error) {
            return; // anyone can type such an address
        }
        $order = wc_get_order(absint(get_query_var('order-received')));
        if ($order instanceof \WC_Order && $order->get_meta(Orders::CURRENT) === $back['session_id']) {
            self::ask($order);
        }
    }

    /**
     * WooCommerce cancels orders that nobody paid in time. One whose code can still be paid is not such an order.
     *
     * @param bool $cancel what others have decided
     * @param \WC_Order $order
     */
    public static function may_cancel($cancel, $order): bool
    {
        if (!$cancel || $order->get_meta(Orders::CURRENT) === '') {
            return (bool) $cancel;
        }
        $status = self::ask($order);
        return $status === 'expired' || $status === 'cancelled';
    }

    /** The session's status, learnt by the order; '' when Sampan cannot be asked now. */
    private static function ask(\WC_Order $order): string
    {
        if ($order->is_paid()) {
            return 'paid';
        }
        $status = '';
        try {
            Orders::locked($order->get_id(), static function (\WC_Order $order) use (&$status): void {
                $session = Connection::api()->getSession((string) $order->get_meta(Orders::CURRENT));
                Orders::learn($order, $session);
                $status = (string) $session['status'];
            });
        } catch (\Exception $error) {
            Connection::log('warning', "order {$order->get_id()} could not be asked about: {$error->getMessage()}");
        }
        return $status;
    }
}
