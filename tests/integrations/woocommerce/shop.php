<?php
/** A shop behind `php -S`: a stranger's WordPress, as far as our plugin needs one. */

declare(strict_types=1);

require __DIR__ . '/start.php';
$file = (string) getenv('SHOP_STATE');
Pretend::start();
Pretend::read($file);
Pretend::set(['api_url' => getenv('SAMPAN'), 'api_key' => getenv('SK'), 'webhook_secret' => getenv('WHSEC')]);
[$path, $order] = [parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH), (int) ($_GET['order'] ?? 0)];
$answer = null;

if ($path === '/order') { // somebody presses "place order"
    $order = count(Pretend::$orders) + 77;
    Pretend::$orders[$order] = new WC_Order($order, $_GET['total'], 'HKD', [new WC_Order_Item('Oolong', 2, (float) $_GET['total'])]);
    $path = '/pay';
}
if ($path === '/pay') {
    $answer = ['order' => $order] + WC()->payment_gateways()->payment_gateways()['sampan']->process_payment($order);
} elseif ($path === '/wp-json/sampan/v1/webhook') {
    $request = new WP_REST_Request(file_get_contents('php://input'), getallheaders());
    $told = (Pretend::$routes['sampan/v1/webhook']['callback'])($request);
    http_response_code($told->status);
    $answer = $told->data;
} elseif (preg_match('#^/checkout/order-received/([0-9]+)/#', $path, $found)) {
    [Pretend::$is_thank_you_page, Pretend::$query['order-received']] = [true, $found[1]];
    do_action('template_redirect');
    $order = (int) $found[1];
} elseif ($path === '/refund') {
    $wish = ['order_id' => $order, 'amount' => $_GET['amount'], 'reason' => 'one cup was broken', 'refund_payment' => true];
    $done = wc_create_refund($wish);
    $answer = ['error' => is_wp_error($done) ? $done->get_error_message() : null];
}
Pretend::keep($file);
header('Content-Type: application/json');
if (http_response_code() !== 204) {
    $kept = isset(Pretend::$orders[$order]) ? Pretend::$orders[$order]->kept : null;
    echo json_encode($answer ?? ['order' => $kept, 'log' => Pretend::$log]);
}
