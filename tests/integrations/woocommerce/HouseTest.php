<?php
/** The plugin as a whole: settings, both checkouts, the log, and what it takes for granted about WordPress. */

declare(strict_types=1);

use Sampan\WooCommerce\Blocks;
use Sampan\WooCommerce\Connection;
use Sampan\WooCommerce\Gateway;

require_once __DIR__ . '/Story.php';

final class HouseTest extends Story
{
    public function test_both_kinds_of_order_tables_and_both_checkouts_are_declared(): void
    {
        self::assertSame(['custom_order_tables' => true, 'cart_checkout_blocks' => true], Pretend::$compatible);
    }

    public function test_it_is_offered_only_when_it_can_work(): void
    {
        self::assertTrue((new Gateway())->is_available());
        Pretend::$currency = 'GBP';
        self::assertFalse((new Gateway())->is_available());
        Pretend::$currency = 'HKD';
        Pretend::set(['webhook_secret' => '']);
        self::assertFalse((new Gateway())->is_available());
        self::assertTrue((new Gateway())->needs_setup());
    }

    public function test_the_block_checkout_is_told_what_the_classic_one_shows(): void
    {
        $block = new Blocks();
        $block->initialize();

        self::assertTrue($block->is_active());
        self::assertSame('AlipayHK', $block->get_payment_method_data()['title']);
        self::assertSame(['products', 'refunds'], $block->get_payment_method_data()['supports']);
        foreach ($block->get_payment_method_script_handles() as $handle) {
            $path = substr(Pretend::$scripts[$handle], strlen('https://shop.example/wp-content/plugins/sampan-checkout'));
            self::assertFileExists(PLUGIN . $path);
        }
    }

    /** @dataProvider settings */
    public function test_a_setting_that_cannot_be_right_is_refused(string $name, string $value, bool $is_right): void
    {
        $gateway = new Gateway();
        $gateway->process_admin_options([$name => $value]);

        self::assertSame($is_right, $gateway->errors === []);
        self::assertSame($is_right, Connection::setting($name) === rtrim($value, '/'));
    }

    public static function settings(): array
    {
        return [
            ['api_url', 'https://pay.example/', true], ['api_url', 'http://127.0.0.1:8000', true], ['api_url', 'http://pay.example', false],
            ['api_url', 'javascript:alert(1)', false], ['api_url', 'https://user@pay.example', false],
            ['api_key', 'sk_abc-DEF_123', true], ['api_key', 'whsec_abc', false], ['api_key', "sk_a\r\nX: y", false],
            ['webhook_secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', true], ['webhook_secret', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', false],
            ['webhook_secret', 'whsec_MfKQ', false],
        ];
    }

    public function test_the_log_holds_no_secret_and_no_shopper(): void
    {
        $this->pay();
        $this->hears('checkout_session.paid', $this->paid());
        $this->hears('checkout_session.paid', $this->session, 'evt_2', ['webhook-signature' => 'v1,AAAA']);
        $log = implode("\n", Pretend::$log);

        self::assertStringContainsString('POST /v1/checkout-sessions: 200', $log);
        self::assertStringContainsString('webhook refused', $log);
        foreach (['sk_bo', self::SECRET, 'wc_order_key', 'v1,'] as $secret) {
            self::assertStringNotContainsString($secret, $log);
        }
    }

    public function test_without_the_debug_log_only_trouble_is_kept(): void
    {
        Pretend::set(['debug' => 'no']);
        $this->pay();
        self::assertSame([], Pretend::$log);
    }

    public function test_the_bundled_client_is_the_published_one(): void
    {
        self::assertFileEquals(dirname(PLUGIN, 2) . '/php/Sampan.php', PLUGIN . '/includes/Sampan.php');
    }

    public function test_orders_are_touched_through_their_objects_only(): void
    {
        foreach ($this->files() as $file) {
            self::assertDoesNotMatchRegularExpression('/(get|update|add|delete)_post_meta|get_post\\(|WP_Query/', file_get_contents($file));
        }
    }

    public function test_what_is_called_exists_in_our_pretend_wordpress(): void
    {
        $methods = [];
        foreach (get_declared_classes() as $class) {
            if (!(new ReflectionClass($class))->isInternal()) {
                $methods += array_flip(array_column((new ReflectionClass($class))->getMethods(), 'name'));
            }
        }
        // Of classes that are not declared here: WordPress's database and WooCommerce's registry, both by duck.
        $methods += array_flip(['get_var', 'query', 'prepare', 'register', 'payment_gateways', 'log']);
        $calls = 0;
        foreach ($this->files() as $file) {
            foreach ($this->calls($file) as [$before, $name]) {
                $calls++;
                $before === T_OBJECT_OPERATOR
                    ? self::assertArrayHasKey($name, $methods, basename($file) . " calls ->$name()")
                    : self::assertTrue(function_exists($name), basename($file) . " calls $name()");
            }
        }
        self::assertGreaterThan(200, $calls);
    }

    public function test_nothing_is_used_that_php_7_4_lacks(): void
    {
        $newer = ['str_contains', 'str_starts_with', 'str_ends_with', 'array_is_list', 'get_debug_type', 'array_find', 'json_validate'];
        foreach ($this->files() as $file) {
            $code = file_get_contents($file);
            self::assertSame([], array_intersect($newer, array_column($this->calls($file), 1)), $file);
            self::assertDoesNotMatchRegularExpression('/\?->|\bmatch\s*\(|\benum\b \w|\breadonly\b|#\[|: (mixed|never|static)\b/', $code, $file);
        }
    }

    /** @return list<string> */
    private function files(): array
    {
        return array_merge(glob(PLUGIN . '/*.php'), glob(PLUGIN . '/includes/*.php'));
    }

    /** @return list<array{0: int|string, 1: string}> what stands before the name, and the name of each call */
    private function calls(string $file): array
    {
        $tokens = array_values(array_filter(token_get_all(file_get_contents($file)), static fn ($one) => !in_array($one[0], [T_WHITESPACE, T_COMMENT], true)));
        $found = [];
        foreach ($tokens as $at => $token) {
            $before = $tokens[$at - 1][0] ?? '';
            $is_name = is_array($token) && in_array($token[0], [T_STRING, T_NAME_FULLY_QUALIFIED], true);
            if ($is_name && ($tokens[$at + 1] ?? '') === '(' && !in_array($before, [T_FUNCTION, T_NEW, T_DOUBLE_COLON], true)) {
                $found[] = [$before, ltrim($token[1], '\\')];
            }
        }
        return $found;
    }
}
