<?php
/** The plugin in its pretend WordPress, as far as WordPress gets before a request. A notice is a mistake too. */

declare(strict_types=1);

error_reporting(E_ALL);
set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    if (!(error_reporting() & $level)) {
        return false;
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});
const PLUGIN = __DIR__ . '/../../../integrations/woocommerce/sampan-checkout';
require __DIR__ . '/wordpress.php';
require __DIR__ . '/woocommerce.php';
require PLUGIN . '/sampan-checkout.php';
do_action('before_woocommerce_init');
do_action('woocommerce_blocks_loaded');
do_action('plugins_loaded');
do_action('init');
do_action('rest_api_init');
