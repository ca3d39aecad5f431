<?php
/** What becomes of an order: sending the shopper, hearing what happened, the shopper's return. */

declare(strict_types=1);

use Sampan\WooCommerce\Amounts;

require_once __DIR__ . '/Story.php';

final class OrdersTest extends Story
{
    // Sending the shopper -------------------------------------------------------------------------------------------

    public function test_an_order_becomes_a_session_of_its_price(): void
    {
        $this->orders('100.50', 'HKD', [new WC_Order_Item('<b>Oolong</b>', 2, 90.0, 0.5), new WC_Order_Item('Post', 1, 10.0)]);
        Pretend::set(['wallets' => ['alipay_hk'], 'late_payment' => 'refund']);
        Pretend::$locale = 'zh_HK';

        self::assertSame(['result' => 'success', 'redirect' => 'https://pay.example/pay/cs_1'], $this->pay());
        [, $path, $headers, $body] = $this->asked[0];
        self::assertSame('/v1/checkout-sessions', $path);
        self::assertSame('Bearer sk_bo', $headers['Authorization']);
        self::assertSame([10050, 'HKD', 'T-77'], [$body['amount'], $body['currency'], $body['reference']]);
        self::assertSame('Bo’s Tea', $body['description']);
        self::assertSame([['name' => 'Oolong', 'quantity' => 2, 'amount' => 9050], ['name' => 'Post', 'quantity' => 1, 'amount' => 1000]], $body['items']);
        self::assertSame(['order_id' => '77', 'order_key' => 'wc_order_key77'], $body['metadata']);
        self::assertSame([['alipay_hk'], 'zh-HK', 'refund'], [$body['wallets'], $body['locale'], $body['late_payment']]);
        self::assertStringStartsWith('https://shop.example/checkout/order-received/77/', $body['return_url']);
    }

    public function test_items_that_do_not_add_up_are_left_out(): void
    {
        $this->orders('100.00', 'HKD', [new WC_Order_Item('Oolong', 1, 90.0)]);
        $this->pay();

        self::assertArrayNotHasKey('items', $this->asked[0][3]);
    }

    public function test_a_second_press_goes_to_the_same_session(): void
    {
        self::assertSame($this->pay(), $this->pay());
        self::assertCount(1, $this->asks('POST', '/checkout-sessions'));
    }

    public function test_a_lost_answer_is_asked_for_again_under_the_same_key(): void
    {
        $answers = Pretend::$server;
        Pretend::$server = function (...$call) use ($answers) {
            $answers(...$call);
            return new WP_Error('http_request_failed', 'timed out');
        };
        self::assertSame('failure', $this->pay()['result']);
        self::assertNotEmpty(Pretend::$notices);
        Pretend::$server = $answers;
        self::assertSame('success', $this->pay()['result']);

        $keys = array_column(array_column($this->asked, 2), 'Idempotency-Key');
        self::assertGreaterThan(2, count($keys));
        self::assertCount(1, array_unique($keys));
    }

    public function test_another_price_is_another_session_and_the_old_one_is_cancelled(): void
    {
        $this->pay();
        Pretend::$orders[77]->kept['total'] = '99.00';
        $this->pay();

        self::assertCount(1, $this->asks('POST', '/cancel'));
        $keys = array_column(array_column($this->asks('POST', '/checkout-sessions'), 2), 'Idempotency-Key');
        self::assertCount(2, array_unique($keys));
    }

    public function test_a_shopper_who_has_paid_is_not_sent_to_pay_again(): void
    {
        $this->pay();
        $this->paid();

        self::assertStringContainsString('order-received', $this->pay()['redirect']);
        self::assertSame('processing', $this->status());
    }

    public function test_half_a_yen_is_never_rounded(): void
    {
        $this->orders('100.50', 'JPY');
        self::assertSame('failure', $this->pay()['result']);
        self::assertSame([], $this->asked);
    }

    /** @dataProvider amounts */
    public function test_amounts_are_whole_minor_units(string $major, string $currency, int $minor): void
    {
        self::assertSame($minor, Amounts::minor($major, $currency));
        self::assertSame((float) $major, (float) Amounts::major($minor, $currency));
    }

    public static function amounts(): array
    {
        return [['88.00', 'HKD', 8800], ['0.1', 'HKD', 10], ['19.99', 'USD', 1999], ['8800', 'JPY', 8800], ['8800.00', 'JPY', 8800],
            ['1000000.01', 'CNY', 100000001], ['1.15', 'HKD', 115], ['4.35', 'HKD', 435]];
    }

    // Hearing what happened -----------------------------------------------------------------------------------------

    public function test_a_verified_webhook_pays_the_order_once(): void
    {
        $this->pay();
        self::assertSame(204, $this->hears('checkout_session.paid', $this->paid()));
        self::assertSame(204, $this->hears('checkout_session.paid', $this->session));
        self::assertSame(204, $this->hears('checkout_session.paid', $this->session, 'evt_2'));

        self::assertSame('processing', $this->status());
        self::assertSame('20261122001', Pretend::$orders[77]->kept['transaction']);
        self::assertSame(1, substr_count($this->notes(), 'payment complete'));
    }

    /** @dataProvider forgeries */
    public function test_a_forged_webhook_pays_nothing(array $headers, ?string $body): void
    {
        $this->pay();
        self::assertSame(401, $this->hears('checkout_session.paid', $this->paid(), 'evt_1', $headers, $body));
        self::assertSame('pending', $this->status());
    }

    public static function forgeries(): array
    {
        return ['another id' => [['webhook-id' => 'evt_9'], null], 'old' => [['webhook-timestamp' => '1795301951'], null],
            'no signature' => [['webhook-signature' => ''], null], 'another body' => [[], '{"type":"checkout_session.paid"}']];
    }

    public function test_an_old_version_moves_nothing(): void
    {
        $this->pay();
        $this->hears('checkout_session.cancelled', ['status' => 'cancelled', 'version' => 9] + $this->session);
        self::assertStringContainsString('gave up', $this->notes());

        self::assertSame(204, $this->hears('checkout_session.expired', ['status' => 'expired', 'version' => 8] + $this->session, 'evt_0'));
        self::assertSame('pending', $this->status());
    }

    public function test_an_order_that_expired_can_be_paid_by_another_session(): void
    {
        $this->pay();
        $this->hears('checkout_session.expired', $this->session = ['status' => 'expired', 'version' => 9] + $this->session);
        self::assertSame('failed', $this->status());
        $this->pay();

        $keys = array_column(array_column($this->asks('POST', '/checkout-sessions'), 2), 'Idempotency-Key');
        self::assertCount(2, array_unique($keys));
        $this->hears('checkout_session.paid', $this->paid(), 'evt_2');
        self::assertSame('processing', $this->status());
    }

    public function test_late_money_of_an_old_session_leaves_a_paid_order_paid(): void
    {
        $this->pay();
        $this->hears('checkout_session.paid', $this->paid());
        $this->hears('payment.late', ['id' => 'cs_old', 'status' => 'expired', 'review' => true] + $this->session, 'evt_2');

        self::assertSame('processing', $this->status());
        self::assertStringContainsString('after the end of session cs_old', $this->notes());
    }

    public function test_another_amount_holds_the_order(): void
    {
        $this->pay();
        Pretend::$orders[77]->kept['total'] = '99.00';
        $this->hears('checkout_session.paid', $this->paid());

        self::assertSame('on-hold', $this->status());
        self::assertStringContainsString('88.00 HKD was paid', $this->notes());
    }

    public function test_a_review_holds_the_order_until_a_person_has_looked(): void
    {
        $this->pay();
        $this->hears('checkout_session.review_opened', $this->paid(['review' => true]));
        self::assertSame('on-hold', $this->status());

        $this->session['version']++;
        $this->hears('checkout_session.review_closed', ['review' => false] + $this->session, 'evt_2');
        self::assertSame('processing', $this->status());
    }

    public function test_late_money_is_held_and_noted(): void
    {
        $this->pay();
        $this->hears('checkout_session.expired', ['status' => 'expired', 'version' => 2] + $this->session);
        $this->hears('payment.late', ['status' => 'expired', 'review' => true, 'version' => 3] + $this->session, 'evt_2');

        self::assertSame('on-hold', $this->status());
        self::assertStringContainsString('after the end', $this->notes());
    }

    public function test_money_twice_is_noted_and_the_order_stays_paid(): void
    {
        $this->pay();
        $this->hears('checkout_session.paid', $this->paid());
        $this->hears('payment.surplus', ['review' => true, 'version' => 8] + $this->session, 'evt_2');
        $this->hears('payment.surplus', ['review' => true, 'version' => 8] + $this->session, 'evt_2');
        $second = ['id' => 'cs_second', 'version' => 1] + $this->session;
        $this->hears('checkout_session.paid', $second, 'evt_3');
        $this->hears('checkout_session.paid', ['version' => 2] + $second, 'evt_4');

        self::assertSame('processing', $this->status());
        self::assertSame(1, substr_count($this->notes(), 'The surplus goes back by itself'));
        self::assertSame(1, substr_count($this->notes(), 'a second time, by session cs_second'));
    }

    public function test_a_stranger_s_session_is_no_order_of_ours(): void
    {
        $this->pay();
        $paid = $this->paid(['metadata' => ['order_id' => '77', 'order_key' => 'wc_order_other']]);
        self::assertSame(204, $this->hears('checkout_session.paid', $paid));
        self::assertSame(204, $this->hears('endpoint.test', ['hello' => 'there'], 'evt_2'));
        self::assertSame('pending', $this->status());
    }

    public function test_a_busy_order_is_told_later(): void
    {
        $this->pay();
        Pretend::$lock = '0';
        self::assertSame(503, $this->hears('checkout_session.paid', $this->paid()));
        self::assertSame('pending', $this->status());

        Pretend::$lock = null; // a database without such locks
        self::assertSame(204, $this->hears('checkout_session.paid', $this->session));
        self::assertSame('processing', $this->status());
    }

    // Coming back ---------------------------------------------------------------------------------------------------

    public function test_a_signed_return_makes_us_ask_and_the_answer_counts(): void
    {
        $this->pay();
        $this->comes_back(); // says "paid", and the API does not
        self::assertSame('pending', $this->status());

        $this->paid();
        $this->comes_back();
        self::assertSame('processing', $this->status());
    }

    public function test_a_forged_return_asks_nobody(): void
    {
        $this->pay();
        $this->paid();
        $before = count($this->asked);
        $this->comes_back(['timestamp' => '1']);

        self::assertCount($before, $this->asked);
        self::assertSame('pending', $this->status());
    }

    public function test_an_order_whose_code_may_be_paid_is_not_cancelled_by_the_timer(): void
    {
        $this->pay();
        self::assertFalse(apply_filters('woocommerce_cancel_unpaid_order', true, wc_get_order(77)));
        $this->session = ['status' => 'expired', 'version' => 2] + $this->session;
        self::assertTrue(apply_filters('woocommerce_cancel_unpaid_order', true, wc_get_order(77)));
        self::assertFalse(apply_filters('woocommerce_cancel_unpaid_order', false, wc_get_order(77)));
    }
}
