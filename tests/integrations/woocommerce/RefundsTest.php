<?php
/** Money going back: pressed in WooCommerce, or made in Sampan's back office. */

declare(strict_types=1);

require_once __DIR__ . '/Story.php';

final class RefundsTest extends Story
{
    protected function setUp(): void
    {
        parent::setUp();
        $this->pay();
        $this->hears('checkout_session.paid', $this->paid());
    }

    private function press(string $amount)
    {
        return wc_create_refund(['order_id' => 77, 'amount' => $amount, 'reason' => 'broken', 'refund_payment' => true]);
    }

    private function refunds(): array
    {
        return Pretend::$orders[77]->kept['refunds'];
    }

    private function became(string $status, string $event): void
    {
        $this->session['refunds'][0]['status'] = $status;
        $this->session['version']++;
        $this->hears("refund.$status", $this->session, $event);
    }

    public function test_a_part_goes_back_with_what_the_shop_believes_is_left(): void
    {
        self::assertTrue($this->press('8.00'));

        $call = $this->asks('POST', '/refunds')[0];
        self::assertSame(['amount' => 800, 'amount_left' => 8800, 'reason' => 'broken'], $call[3]);
        self::assertStringContainsString('8.00 HKD was asked for (rf_1)', $this->notes());
    }

    public function test_its_end_is_noted_and_not_booked_twice(): void
    {
        $this->press('8.00');
        $this->became('succeeded', 'evt_2');
        $this->became('succeeded', 'evt_3');

        self::assertCount(1, $this->refunds());
        self::assertSame(1, substr_count($this->notes(), '8.00 HKD went back'));
    }

    public function test_the_same_press_again_is_the_same_key_and_another_one_is_not(): void
    {
        $answers = Pretend::$server;
        Pretend::$server = function (...$call) use ($answers) {
            if ($call[0] === 'POST') {
                $this->asked[] = [$call[0], $call[1], $call[2], json_decode($call[3], true)];
                return new WP_Error('http_request_failed', 'timed out');
            }
            return $answers(...$call);
        };
        self::assertStringContainsString('nothing is paid out twice', $this->press('8.00')->get_error_message());
        self::assertSame([], $this->refunds(), 'WooCommerce takes it back');
        Pretend::$server = $answers;
        self::assertTrue($this->press('8.00'));
        self::assertTrue($this->press('8.00'));

        $keys = array_column(array_column($this->asks('POST', '/refunds'), 2), 'Idempotency-Key');
        self::assertCount(2, array_unique($keys));
        self::assertCount(1, array_unique(array_slice($keys, 0, -1)));
    }

    public function test_a_failed_refund_makes_room_for_another_like_it(): void
    {
        $this->press('8.00');
        $this->became('failed', 'evt_2');
        self::assertStringContainsString('has failed', $this->notes());
        Pretend::$orders[77]->kept['refunds'] = []; // deleted by the clerk, as the note says
        $this->press('8.00');

        $keys = array_column(array_column($this->asks('POST', '/refunds'), 2), 'Idempotency-Key');
        self::assertCount(2, array_unique($keys));
    }

    public function test_a_refund_that_somebody_else_made_is_noticed(): void
    {
        $answers = Pretend::$server;
        Pretend::$server = static fn (...$call) => $call[0] === 'POST'
            ? [412, [], '{"status": 412, "detail": "8000 is left, not 8800; read the session again"}'] : $answers(...$call);

        self::assertStringContainsString('8000 is left', $this->press('8.00')->get_error_message());
        self::assertSame([], $this->refunds());
    }

    public function test_a_refund_of_the_back_office_is_booked_here(): void
    {
        $this->session['refunds'] = [['id' => 'rf_office', 'payment' => 'py_1', 'amount' => 1250, 'currency' => 'HKD',
            'status' => 'pending', 'reason' => 'asked by telephone']];
        $this->became('succeeded', 'evt_2');

        self::assertSame([['amount' => '12.50', 'reason' => 'asked by telephone']], $this->refunds());
    }

    public function test_a_surplus_that_went_back_is_not_the_order_s_money(): void
    {
        $this->session['refunds'] = [['id' => 'rf_s', 'payment' => 'py_surplus', 'amount' => 8800, 'currency' => 'HKD',
            'status' => 'pending', 'reason' => 'surplus']];
        $this->became('succeeded', 'evt_2');

        self::assertSame([], $this->refunds());
    }

    public function test_nothing_goes_back_for_an_order_that_we_did_not_charge(): void
    {
        $this->orders('88.00');
        self::assertStringContainsString('did not take the money', $this->press('8.00')->get_error_message());
        self::assertSame([], $this->asks('POST', '/refunds'));
    }

    public function test_nothing_is_not_everything(): void
    {
        foreach (['0', '', '0.00'] as $amount) {
            self::assertTrue(is_wp_error($this->press($amount)));
        }
        self::assertSame([], $this->asks('POST', '/refunds'));
    }

    public function test_a_busy_order_is_not_refunded(): void
    {
        Pretend::$lock = '0';
        self::assertSame('sampan_busy', $this->press('8.00')->get_error_code());
        self::assertSame([], $this->asks('POST', '/refunds'));
    }
}
