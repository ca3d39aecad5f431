<?php
/** A shop in PHP, by wire: one JSON command a line comes in, one answer goes out. */

declare(strict_types=1);

error_reporting(E_ALL);
set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    throw new ErrorException($message, 0, $level, $file, $line); // a notice is a mistake too
});
require __DIR__ . '/../../../integrations/php/Sampan.php';

use Sampan\Client;
use Sampan\Signatures;

$api = new Client((string) getenv('SAMPAN'), (string) getenv('SK'));
$secret = (string) getenv('WHSEC');

// What each word of the tests is in this language. $a holds the command's arguments.
$does = [
    'create' => fn (array $a) => $api->createSession($a['order'], $a['key'] ?? null),
    'get' => fn (array $a) => $api->getSession($a['id']),
    'list' => fn (array $a) => iterator_to_array($api->listSessions($a['filters']), false),
    'cancel' => fn (array $a) => $api->cancelSession($a['id']),
    'left' => fn (array $a) => Client::amountLeft($a['session']),
    'refund' => fn (array $a) => $api->refund($a['id'], $a['key'], $a['wish']),
    'get_refund' => fn (array $a) => $api->getRefund($a['id']),
    'events' => fn (array $a) => iterator_to_array($api->listEvents($a['filters']), false),
    'redeliver' => fn (array $a) => $api->redeliver($a['id']),
    'webhook' => fn (array $a) => Signatures::verifyWebhook(
        base64_decode($a['body']),
        $a['headers'],
        $secret,
        isset($a['now']) ? (int) $a['now'] : null
    ),
    'return' => fn (array $a) => Signatures::verifyReturn($a['url'], $secret, isset($a['now']) ? (int) $a['now'] : null),
];

while (($line = fgets(STDIN)) !== false) {
    $command = json_decode($line, true);
    try {
        $answer = ['result' => $does[$command['do']]($command)];
    } catch (Sampan\ApiException $error) {
        $answer = ['error' => 'api', 'status' => $error->status, 'detail' => $error->detail, 'errors' => $error->errors,
            'request' => $error->requestId, 'said' => $error->getMessage()];
    } catch (Sampan\NotAuthentic $error) {
        $answer = ['error' => 'forged', 'said' => $error->getMessage()];
    } catch (Sampan\Unreachable $error) {
        $answer = ['error' => 'unreachable', 'said' => $error->getMessage()];
    }
    fwrite(STDOUT, json_encode($answer, JSON_THROW_ON_ERROR) . "\n");
}
