<?php
/** Money going back: asked for in WooCommerce, or in Sampan's back office and only booked here. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

use Sampan\ApiException;
use Sampan\SampanException;

defined('ABSPATH') || exit;

final class Refunds
{
    private const OURS = '_sampan_refunds'; // by id, the last status that was noted

    /**
     * WooCommerce has written its refund already and deletes it again when this gives an error.
     *
     * @param string|float|null $amount major units
     * @return true|\WP_Error
     */
    public static function send(int $order_id, $amount, string $reason)
    {
        $answer = new \WP_Error('sampan_busy', __('Sampan is busy with this order. Try again in a few seconds.', 'sampan-checkout'));
        Orders::locked($order_id, static function (\WC_Order $order) use (&$answer, $amount, $reason): void {
            try {
                $answer = self::ask($order, $amount, $reason);
            } catch (SampanException $error) {
                Connection::log('error', "refund of order {$order->get_id()}: {$error->getMessage()}");
                $answer = new \WP_Error('sampan_refused', self::explain($error));
            } catch (\RangeException $error) {
                $answer = new \WP_Error('sampan_amount', $error->getMessage());
            }
        });
        return $answer;
    }

    /** @return true|\WP_Error */
    private static function ask(\WC_Order $order, $amount, string $reason)
    {
        $id = (string) $order->get_meta(Orders::PAID_BY);
        if ($id === '') {
            return new \WP_Error('sampan_unpaid', __('Sampan did not take the money for this order.', 'sampan-checkout'));
        }
        $currency = $order->get_currency();
        $wanted = Amounts::minor((string) $amount, $currency);
        if ($wanted < 1) {
            return new \WP_Error('sampan_amount', __('Enter how much to refund.', 'sampan-checkout'));
        }
        $api = Connection::api();
        $failed = array_filter($api->getSession($id)['refunds'], static fn (array $one) => $one['status'] === 'failed');
        // What WooCommerce believes is left, this refund not counted. If Sampan knows of another one, it says 412.
        $left = Amounts::minor($order->get_remaining_refund_amount(), $currency) + $wanted;
        // The same press again is the same key; only a refund that has failed makes room for another like it.
        $key = "wc-{$order->get_order_key()}-$left-$wanted-" . count($failed);
        $wish = ['amount' => $wanted, 'amount_left' => $left];
        $refund = $api->refund($id, $key, $reason === '' ? $wish : $wish + ['reason' => mb_substr($reason, 0, 500)]);
        self::remember($order, $refund['id'], $refund['status']);
        $order->add_order_note(sprintf(
            /* translators: 1: an amount with its currency, 2: the refund's id */
            __('Sampan: a refund of %1$s was asked for (%2$s). A note will say when it has gone.', 'sampan-checkout'),
            Amounts::major($wanted, $currency) . ' ' . $currency,
            $refund['id']
        ));
        $order->save();
        return true;
    }

    private static function explain(SampanException $error): string
    {
        if (!$error instanceof ApiException) {
            return __('Sampan did not answer. Press the same button again in a minute: nothing is paid out twice.', 'sampan-checkout');
        }
        if ($error->status === 412) {
            return sprintf(
                /* translators: %s: Sampan's own words */
                __('Somebody has refunded a part of this order elsewhere. Reload the order and look. (%s)', 'sampan-checkout'),
                $error->detail
            );
        }
        return $error->detail;
    }

    /** What became of each refund. Those of the back office are booked here too, or the shop's figures would be wrong. */
    public static function learn(\WC_Order $order, array $session): void
    {
        if ($order->get_meta(Orders::PAID_BY) !== $session['id']) {
            return;
        }
        $accepted = array_column(array_filter($session['payments'], static fn (array $one) => $one['role'] === 'accepted'), 'id');
        foreach ($session['refunds'] as $refund) {
            $known = array_filter((array) $order->get_meta(self::OURS));
            $before = $known[$refund['id']] ?? '';
            $is_news = $before !== $refund['status'] && !in_array($before, ['succeeded', 'failed'], true);
            if (!in_array($refund['payment'], $accepted, true) || !$is_news || $refund['status'] === 'pending') {
                continue;
            }
            self::remember($order, $refund['id'], $refund['status']);
            self::note($order, $refund);
            if ($before === '' && $refund['status'] === 'succeeded') {
                self::book($order, $refund);
            }
        }
    }

    private static function note(\WC_Order $order, array $refund): void
    {
        $note = $refund['status'] === 'succeeded'
            /* translators: 1: an amount with its currency, 2: the refund's id */
            ? __('Sampan: %1$s went back to the shopper (%2$s).', 'sampan-checkout')
            /* translators: 1: an amount with its currency, 2: the refund's id */
            : __('Sampan: the refund of %1$s has failed (%2$s). Delete it here and try again.', 'sampan-checkout');
        $amount = Amounts::major((int) $refund['amount'], (string) $refund['currency']) . ' ' . $refund['currency'];
        $order->add_order_note(sprintf($note, $amount, $refund['id']));
    }

    private static function book(\WC_Order $order, array $refund): void
    {
        $order->save();
        $booked = wc_create_refund([
            'order_id' => $order->get_id(),
            'amount' => Amounts::major((int) $refund['amount'], (string) $refund['currency']),
            'reason' => (string) ($refund['reason'] ?? ''),
            'refund_payment' => false, // the money has gone already
        ]);
        if (is_wp_error($booked)) {
            Connection::log('error', "refund {$refund['id']} could not be booked: {$booked->get_error_message()}");
        }
    }

    private static function remember(\WC_Order $order, string $refund_id, string $status): void
    {
        $known = array_filter((array) $order->get_meta(self::OURS));
        $order->update_meta_data(self::OURS, [$refund_id => $status] + $known);
    }
}
