<?php
/**
 * Sampan's API for a shop's server in PHP: copy this one file. It needs PHP 7.4 with curl, hash and json.
 *
 *     require 'Sampan.php';
 *     $sampan = new Sampan\Client('https://pay.example', 'sk_…');
 *     $session = $sampan->createSession(['amount' => 8800, 'currency' => 'HKD', 'reference' => 'A-1001',
 *         'return_url' => 'https://shop.example/thanks']);
 *     // Redirect the shopper to $session['url']. Deliver when a webhook that verifyWebhook() accepts says `paid`.
 *
 * Amounts are whole minor units: 8800 is HK$88.00. What comes back is the API's JSON as arrays.
 */

declare(strict_types=1);

namespace Sampan;

/** What can go wrong between a shop and Sampan. */
class SampanException extends \RuntimeException
{
}

/** No answer, however often it was tried. It may have been done: repeat it with the same Idempotency-Key. */
final class Unreachable extends SampanException
{
}

/** A webhook or a return that Sampan did not sign with this secret, or not lately. */
final class NotAuthentic extends SampanException
{
}

/** Sampan refused. `errors` is a list of ['field' => …, 'message' => …]; the code is the HTTP status. */
final class ApiException extends SampanException
{
    public int $status;
    public string $detail;
    /** @var list<array{field: string, message: string}> */
    public array $errors;
    public ?int $retryAfter;
    /** Helps whoever reads Sampan's log. */
    public ?string $requestId;

    public function __construct(int $status, array $problem, array $headers)
    {
        $this->status = $status;
        $this->detail = (string) ($problem['detail'] ?? $problem['title'] ?? "HTTP $status");
        $this->errors = \is_array($problem['errors'] ?? null) ? $problem['errors'] : [];
        $wait = $headers['retry-after'] ?? '';
        $this->retryAfter = \preg_match('/^[0-9]{1,9}$/D', $wait) ? (int) $wait : null;
        $this->requestId = $headers['x-request-id'] ?? null;
        parent::__construct("$status: $this->detail", $status);
    }
}

/** The merchant's API. Throws ApiException and Unreachable; what is safe to repeat was repeated before. */
final class Client
{
    private const TRIES = 3;
    private const LONGEST_WAIT = 30; // seconds: who is told to wait longer hears it as an error
    private const MAY_PASS = [429, 500, 502, 503, 504];
    // With Retry-After: the first request with this Idempotency-Key; without it, it is a refusal.
    private const STILL_RUNNING = 409;

    private string $url;
    private string $apiKey;
    /** @var callable(string, string, array<string, string>, ?string): array{0: int, 1: array<string, string>, 2: string} */
    private $transport;

    /**
     * @param ?callable $transport who makes the calls instead of curl: gets method, URL, headers by name and the body,
     *     gives status, headers by name in lower case and the body; follows no redirect; throws Unreachable
     */
    public function __construct(string $url, string $apiKey, ?callable $transport = null)
    {
        if (!\preg_match('#^https?://#', $url)) {
            throw new \InvalidArgumentException('The address of Sampan starts with https://');
        }
        $this->url = \rtrim($url, '/');
        $this->apiKey = $apiKey;
        $this->transport = $transport ?? [self::class, 'curl'];
    }

    /** Open a session. With a key of your own, such as the order's number, a crashed order can be repeated too. */
    public function createSession(array $order, ?string $idempotencyKey = null): array
    {
        $key = $idempotencyKey ?? \bin2hex(\random_bytes(16));
        return $this->call('POST', '/v1/checkout-sessions', $order, $key);
    }

    public function getSession(string $id): array
    {
        return $this->call('GET', '/v1/checkout-sessions/' . \rawurlencode($id));
    }

    /** All that fit, newest first: reference, status, created_after; further pages are fetched as you go. */
    public function listSessions(array $filters = []): \Generator
    {
        return $this->pages('/v1/checkout-sessions', $filters);
    }

    /** Look at `status` of what comes back: paid if the shopper was quicker, open while a code may be paid. */
    public function cancelSession(string $id): array
    {
        return $this->call('POST', '/v1/checkout-sessions/' . \rawurlencode($id) . '/cancel', null, null, true);
    }

    /**
     * Send money back, by default all that is left; `pending` until an event tells the end.
     *
     * The key is yours and stands for this one refund: a second press with it pays nothing twice. With 'amount_left'
     * (see amountLeft()) a refund that somebody else has made meanwhile is noticed: ApiException 412.
     *
     * @param array{amount?: int, amount_left?: int, reason?: string} $wish
     */
    public function refund(string $id, string $idempotencyKey, array $wish = []): array
    {
        return $this->call('POST', '/v1/checkout-sessions/' . \rawurlencode($id) . '/refunds', $wish, $idempotencyKey);
    }

    public function getRefund(string $id): array
    {
        return $this->call('GET', '/v1/refunds/' . \rawurlencode($id));
    }

    /** What your server was told, each with its deliveries; filters session and type. */
    public function listEvents(array $filters = []): \Generator
    {
        return $this->pages('/v1/events', $filters);
    }

    public function redeliver(string $eventId): array
    {
        return $this->call('POST', '/v1/events/' . \rawurlencode($eventId) . '/redeliver');
    }

    private function pages(string $path, array $filters): \Generator
    {
        do {
            $page = $this->call('GET', $path . '?' . \http_build_query($filters));
            foreach ($page['data'] as $row) {
                yield $row;
            }
            $filters['cursor'] = $page['next_cursor'];
        } while ($page['next_cursor']);
    }

    /** Every try sends the same bytes under the same key, so that it is done once. */
    private function call(string $method, string $path, ?array $body = null, ?string $key = null, bool $again = false): array
    {
        $headers = ['Authorization' => "Bearer $this->apiKey", 'Accept' => 'application/json'];
        $sent = null;
        if ($body !== null) {
            $headers['Content-Type'] = 'application/json';
            $sent = \json_encode((object) $body, \JSON_THROW_ON_ERROR | \JSON_UNESCAPED_UNICODE | \JSON_UNESCAPED_SLASHES);
        }
        if ($key !== null) {
            $headers['Idempotency-Key'] = $key;
        }
        $tries = $method === 'GET' || $key !== null || $again ? self::TRIES : 1;
        for ($number = 1; ; $number++) {
            try {
                return $this->send($method, $path, $headers, $sent);
            } catch (SampanException $error) {
                $wait = self::wait($error, $number);
                if ($number === $tries || $wait === null) {
                    throw $error;
                }
            }
            \usleep((int) ($wait * 1e6));
        }
    }

    private function send(string $method, string $path, array $headers, ?string $body): array
    {
        [$status, $answered, $text] = ($this->transport)($method, $this->url . $path, $headers, $body);
        $read = \json_decode($text, true);
        if ($status < 200 || $status > 299) {
            throw new ApiException($status, \is_array($read) ? $read : [], $answered);
        }
        if (!\is_array($read)) {
            throw new Unreachable("No answer from $this->url that can be read");
        }
        return $read;
    }

    /** Seconds until the next try; null: trying again does not help, or not so soon. */
    private static function wait(SampanException $error, int $number): ?float
    {
        if ($error instanceof ApiException) {
            $may = \in_array($error->status, self::MAY_PASS, true);
            if ($error->retryAfter !== null && ($may || $error->status === self::STILL_RUNNING)) {
                return $error->retryAfter <= self::LONGEST_WAIT ? (float) $error->retryAfter : null;
            }
            if (!$may) {
                return null;
            }
        }
        return 0.5 * 2 ** ($number - 1) * \random_int(80, 120) / 100;
    }

    /** @return array{0: int, 1: array<string, string>, 2: string} */
    private static function curl(string $method, string $url, array $headers, ?string $body): array
    {
        $answered = [];
        $lines = [];
        foreach ($headers as $name => $value) {
            $lines[] = "$name: $value";
        }
        $handle = \curl_init($url);
        \curl_setopt_array($handle, [
            \CURLOPT_CUSTOMREQUEST => $method,
            \CURLOPT_HTTPHEADER => $lines,
            \CURLOPT_RETURNTRANSFER => true,
            \CURLOPT_FOLLOWLOCATION => false, // the API never redirects; following would carry the key to a stranger
            \CURLOPT_PROTOCOLS => \CURLPROTO_HTTP | \CURLPROTO_HTTPS,
            \CURLOPT_CONNECTTIMEOUT => 5,
            \CURLOPT_TIMEOUT => 15,
            \CURLOPT_HEADERFUNCTION => static function ($_, string $line) use (&$answered): int {
                [$name, $value] = \explode(':', $line, 2) + [1 => ''];
                $answered[\strtolower(\trim($name))] = \trim($value);
                return \strlen($line);
            },
        ]);
        if ($body !== null || $method === 'POST') {
            \curl_setopt($handle, \CURLOPT_POSTFIELDS, $body ?? '');
            if ($body === null) { // an empty form would name a type of its own
                \curl_setopt($handle, \CURLOPT_HTTPHEADER, \array_merge($lines, ['Content-Type:']));
            }
        }
        $text = \curl_exec($handle);
        if ($text === false) {
            throw new Unreachable('No answer: ' . \curl_error($handle));
        }
        return [(int) \curl_getinfo($handle, \CURLINFO_RESPONSE_CODE), $answered, $text];
    }

    /** What may still be refunded: the accepted payment without what went back or is on its way back. */
    public static function amountLeft(array $session): int
    {
        $left = 0;
        $accepted = [];
        foreach ($session['payments'] as $payment) {
            if ($payment['role'] === 'accepted') {
                $accepted[$payment['id']] = true;
                $left += $payment['amount'];
            }
        }
        foreach ($session['refunds'] as $refund) {
            $left -= isset($accepted[$refund['payment']]) && $refund['status'] !== 'failed' ? $refund['amount'] : 0;
        }
        return $left;
    }
}

/** What Sampan signs: webhooks and the way back to the shop. */
final class Signatures
{
    private const TOLERANCE = 300; // seconds that a webhook may be old, or our clock wrong
    private const RETURN_SECONDS = 600; // a signed return is news for so long; afterwards it is an old link
    private const RETURN_FIELDS = ['session_id', 'reference', 'status', 'timestamp'];

    /**
     * The event in a webhook (Standard Webhooks): type, timestamp, and data, the whole session. Throws NotAuthentic.
     *
     * `$body` is file_get_contents('php://input'): parsed and written again, it has another signature. `$headers` may be
     * getallheaders() or $_SERVER. An event may come twice and late: remember its webhook-id, keep the highest version.
     */
    public static function verifyWebhook(string $body, array $headers, string $secret, ?int $now = null): array
    {
        $given = [];
        foreach ($headers as $name => $value) {
            $given[\preg_replace('/^http-/', '', \strtr(\strtolower((string) $name), '_', '-'))] = $value;
        }
        $id = (string) ($given['webhook-id'] ?? '');
        $timestamp = (string) ($given['webhook-timestamp'] ?? '');
        $expected = 'v1,' . \base64_encode(\hash_hmac('sha256', "$id.$timestamp.$body", self::key($secret), true));
        $fits = false;
        // Two signatures while a secret is being changed.
        foreach (\explode(' ', (string) ($given['webhook-signature'] ?? '')) as $signature) {
            $fits = \hash_equals($expected, $signature) || $fits;
        }
        if ($id === '' || !$fits) {
            throw new NotAuthentic('no signature of this webhook fits');
        }
        self::checkAge($timestamp, self::TOLERANCE, $now);
        $event = \json_decode($body, true);
        if (!\is_array($event)) {
            throw new NotAuthentic('this webhook is no event');
        }
        return $event;
    }

    /**
     * session_id, reference, status and timestamp of the way back. Throws NotAuthentic.
     *
     * `$url` is $_SERVER['REQUEST_URI']. It thanks a shopper; it is no payment: deliver on the webhook.
     */
    public static function verifyReturn(
        string $url,
        string $secret,
        ?int $now = null,
        int $maxAge = self::RETURN_SECONDS
    ): array {
        $start = \strpos($url, '?');
        $query = \explode('#', $start === false ? $url : \substr($url, $start + 1))[0];
        \parse_str($query, $sent); // the last of a name is Sampan's
        $parts = [];
        foreach (self::RETURN_FIELDS as $name) {
            $parts[$name] = \is_string($sent[$name] ?? null) ? $sent[$name] : '';
        }
        $expected = \hash_hmac('sha256', \implode('.', $parts), self::key($secret));
        $given = \is_string($sent['signature'] ?? null) ? $sent['signature'] : '';
        $dotted = \strpos($parts['session_id'] . $parts['status'], '.') !== false;
        if (!\hash_equals($expected, $given) || $dotted) {
            throw new NotAuthentic('the signature of this return does not fit');
        }
        self::checkAge($parts['timestamp'], $maxAge, $now);
        return $parts;
    }

    private static function key(string $secret): string
    {
        $key = \strncmp($secret, 'whsec_', 6) === 0 ? \base64_decode(\substr($secret, 6), true) : false;
        if ($key === false || $key === '') {
            throw new \InvalidArgumentException('A webhook secret is whsec_ and base64');
        }
        return $key;
    }

    private static function checkAge(string $timestamp, int $tolerance, ?int $now): void
    {
        if (!\preg_match('/^[0-9]{1,12}$/D', $timestamp) || \abs(($now ?? \time()) - (int) $timestamp) > $tolerance) {
            throw new NotAuthentic('too old, or one of the two clocks is wrong');
        }
    }
}
