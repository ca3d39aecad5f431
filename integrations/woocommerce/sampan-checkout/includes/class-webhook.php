<?php
/** Where Sampan tells the shop what happened: POST /wp-json/sampan/v1/webhook. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

use Sampan\NotAuthentic;
use Sampan\Signatures;

defined('ABSPATH') || exit;

final class Webhook
{
    public const PATH = 'sampan/v1';
    private const MOST_BYTES = 1048576;

    public static function register(): void
    {
        register_rest_route(self::PATH, '/webhook', [
            'methods' => 'POST',
            'callback' => [self::class, 'hear'],
            'permission_callback' => '__return_true', // it proves itself by its signature
        ]);
    }

    public static function address(): string
    {
        return rest_url(self::PATH . '/webhook');
    }

    /** 401 makes Sampan's delivery log say what is wrong; 503 makes it try again. */
    public static function hear(\WP_REST_Request $request): \WP_REST_Response
    {
        $body = (string) $request->get_body();
        $headers = [];
        foreach (['webhook-id', 'webhook-timestamp', 'webhook-signature'] as $name) {
            $headers[$name] = (string) $request->get_header($name);
        }
        try {
            if (strlen($body) > self::MOST_BYTES) {
                throw new NotAuthentic('too long');
            }
            $event = Signatures::verifyWebhook($body, $headers, Connection::setting('webhook_secret'));
        } catch (NotAuthentic | \InvalidArgumentException $error) {
            Connection::log('warning', "webhook refused: {$error->getMessage()}");
            return new \WP_REST_Response(['message' => $error->getMessage()], 401);
        }
        return self::take($headers['webhook-id'], $event);
    }

    private static function take(string $event_id, array $event): \WP_REST_Response
    {
        $session = $event['data'] ?? [];
        $order = is_array($session) && isset($session['id'], $session['status']) ? Orders::of_session($session) : null;
        Connection::log('debug', sprintf('%s %s: %s', $event_id, $event['type'] ?? '', $order ? 'order ' . $order->get_id() : 'not an order of this shop'));
        if ($order === null) {
            return new \WP_REST_Response(null, 204); // a test event, or another shop's that shares the address
        }
        $done = Orders::locked($order->get_id(), static function (\WC_Order $order) use ($event_id, $event): void {
            Orders::hear($order, $event_id, $event);
        });
        return new \WP_REST_Response(null, $done ? 204 : 503);
    }
}
