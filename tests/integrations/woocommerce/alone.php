<?php
/** The plugin where WooCommerce is switched off: prints what stands above a page of wp-admin, for an owner and for a clerk. */

declare(strict_types=1);

error_reporting(E_ALL);
const PLUGIN = __DIR__ . '/../../../integrations/woocommerce/sampan-checkout';
require __DIR__ . '/wordpress.php';
require PLUGIN . '/sampan-checkout.php';
foreach (['before_woocommerce_init', 'plugins_loaded', 'init', 'rest_api_init', 'template_redirect'] as $hook) {
    do_action($hook);
}
foreach ([true, false] as Pretend::$may_mend) {
    do_action('admin_notices');
    echo "\n";
}
echo json_encode([array_keys(Pretend::$routes), apply_filters('woocommerce_payment_gateways', [])]);
