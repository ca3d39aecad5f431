<?php
/** The plugin in its pretend WordPress, and a Sampan that answers as each story wants. */

declare(strict_types=1);

use PHPUnit\Framework\TestCase;
use Sampan\WooCommerce\Webhook;

require_once __DIR__ . '/start.php';

abstract class Story extends TestCase
{
    protected const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    /** @var list<array{0: string, 1: string, 2: array, 3: ?array}> what Sampan was asked */
    protected array $asked = [];
    protected array $session = [];

    protected function setUp(): void
    {
        Pretend::start();
        Pretend::set(['api_url' => 'https://pay.example', 'api_key' => 'sk_bo', 'webhook_secret' => self::SECRET]);
        Pretend::$server = function (string $method, string $url, array $headers, ?string $body) {
            $this->asked[] = [$method, parse_url($url, PHP_URL_PATH), $headers, $body === null ? null : json_decode($body, true)];
            return $this->answer($method, $url, $body);
        };
        $this->orders('88.00');
    }

    protected function orders(string $total, string $currency = 'HKD', array $items = []): void
    {
        Pretend::$orders[77] = new WC_Order(77, $total, $currency, $items);
        $this->session = [];
    }

    protected function answer(string $method, string $url, ?string $body): array
    {
        if ($method === 'POST' && substr($url, -8) === '/refunds') {
            $wish = json_decode($body, true);
            $refund = ['id' => 'rf_1', 'payment' => 'py_1', 'amount' => $wish['amount'], 'currency' => 'HKD', 'status' => 'pending', 'reason' => 'x'];
            $this->session['refunds'][] = $refund;
            return [201, [], json_encode($refund)];
        }
        if ($method === 'POST' && substr($url, -7) === '/cancel') {
            $this->session['status'] = 'cancelled';
            $this->session['version']++;
        } elseif ($method === 'POST') {
            $order = json_decode($body, true);
            $this->session = ['id' => 'cs_' . count($this->asked), 'status' => 'open', 'review' => false, 'version' => 1,
                'payments' => [], 'refunds' => []] + $order;
            $this->session['url'] = "https://pay.example/pay/{$this->session['id']}";
        }
        return [200, [], json_encode($this->session)];
    }

    protected function pay(): array
    {
        return WC()->payment_gateways()->payment_gateways()['sampan']->process_payment(77);
    }

    protected function paid(array $change = []): array
    {
        $payment = ['id' => 'py_1', 'role' => 'accepted', 'syssn' => '20261122001', 'amount' => $this->session['amount']];
        $this->session = $change + ['status' => 'paid', 'version' => $this->session['version'] + 1, 'payments' => [$payment]] + $this->session;
        return $this->session;
    }

    protected function hears(string $type, array $session, string $id = 'evt_1', array $headers = [], ?string $sent = null): int
    {
        $body = json_encode(['type' => $type, 'timestamp' => 'now', 'data' => $session]);
        $at = (string) ($headers['webhook-timestamp'] ?? time());
        $key = base64_decode(substr(self::SECRET, 6));
        $signature = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$at.$body", $key, true));
        $headers += ['webhook-id' => $id, 'webhook-timestamp' => $at, 'webhook-signature' => $signature];
        return Webhook::hear(new WP_REST_Request($sent ?? $body, $headers))->status;
    }

    protected function comes_back(array $change = []): void
    {
        $back = $change + ['session_id' => $this->session['id'], 'reference' => 'T-77', 'status' => 'paid', 'timestamp' => (string) time()];
        $signed = hash_hmac('sha256', implode('.', $back), base64_decode(substr(self::SECRET, 6)));
        $_GET = $back + ['signature' => $signed];
        $_SERVER['REQUEST_URI'] = '/checkout/order-received/77/?key=x&' . http_build_query($_GET);
        [Pretend::$is_thank_you_page, Pretend::$query['order-received']] = [true, '77'];
        do_action('template_redirect');
    }

    protected function status(): string
    {
        return Pretend::$orders[77]->kept['status'];
    }

    protected function notes(): string
    {
        return implode("\n", Pretend::$orders[77]->kept['notes']);
    }

    protected function asks(string $method, string $end): array
    {
        return array_values(array_filter($this->asked, static fn (array $one) => $one[0] === $method && substr($one[1], -strlen($end)) === $end));
    }
}
