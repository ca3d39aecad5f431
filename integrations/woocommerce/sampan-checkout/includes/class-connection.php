<?php
/** The way to Sampan: what the shop's owner has set, the calls, the log. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

use Sampan\Client;
use Sampan\Unreachable;

defined('ABSPATH') || exit;

final class Connection
{
    public const OPTION = 'woocommerce_sampan_settings';
    private const SECONDS = 15;
    // Who keeps secrets out of the database sets these in wp-config.php.
    private const CONSTANTS = ['api_url' => 'SAMPAN_URL', 'api_key' => 'SAMPAN_API_KEY', 'webhook_secret' => 'SAMPAN_WEBHOOK_SECRET'];

    public static function setting(string $name): string
    {
        $constant = self::CONSTANTS[$name] ?? '';
        if ($constant !== '' && defined($constant)) {
            return (string) constant($constant);
        }
        $settings = (array) get_option(self::OPTION, []);
        return is_scalar($settings[$name] ?? null) ? trim((string) $settings[$name]) : '';
    }

    /** @return list<string> the wallets to offer; none: all that Sampan has */
    public static function wallets(): array
    {
        $settings = (array) get_option(self::OPTION, []);
        return array_values(array_intersect(['alipay_hk', 'alipay'], (array) ($settings['wallets'] ?? [])));
    }

    public static function is_complete(): bool
    {
        return self::setting('api_url') !== '' && self::setting('api_key') !== '' && self::setting('webhook_secret') !== '';
    }

    public static function api(): Client
    {
        return new Client(self::setting('api_url'), self::setting('api_key'), [self::class, 'send']);
    }

    /**
     * One call through WordPress, so that the site's proxy and certificates are respected.
     *
     * @param array<string, string> $headers
     * @return array{0: int, 1: array<string, string>, 2: string}
     */
    public static function send(string $method, string $url, array $headers, ?string $body): array
    {
        $started = microtime(true);
        $answer = wp_remote_request($url, [
            'method' => $method,
            'headers' => $headers,
            'body' => $body,
            'timeout' => self::SECONDS,
            'redirection' => 0, // the API never redirects; following would carry the key to a stranger
        ]);
        $path = (string) wp_parse_url($url, PHP_URL_PATH);
        if (is_wp_error($answer)) {
            self::log('warning', "$method $path: no answer: " . $answer->get_error_message());
            throw new Unreachable($answer->get_error_message());
        }
        $status = (int) wp_remote_retrieve_response_code($answer);
        self::log('debug', sprintf('%s %s: %d in %d ms', $method, $path, $status, (microtime(true) - $started) * 1000));
        $found = [];
        foreach (['retry-after', 'x-request-id'] as $name) {
            $found[$name] = (string) wp_remote_retrieve_header($answer, $name);
        }
        return [$status, $found, (string) wp_remote_retrieve_body($answer)];
    }

    /** Ids, paths and statuses only: no key, no secret, nothing about the shopper. What is not debug is always kept. */
    public static function log(string $level, string $message): void
    {
        if ($level !== 'debug' || self::setting('debug') === 'yes') {
            wc_get_logger()->log($level, $message, ['source' => 'sampan-checkout']);
        }
    }
}
