<?php
/**
 * Plugin Name: Sampan Checkout for WooCommerce
 * Description: AlipayHK and Alipay through your own Sampan: a hosted page with a code on desktops and the wallet's app on phones.
 * Version: 0.1.0
 * Requires at least: 6.5
 * Requires PHP: 7.4
 * Requires Plugins: woocommerce
 * WC requires at least: 8.2
 * Text Domain: sampan-checkout
 * Domain Path: /languages
 * License: GPL-2.0-or-later
 * License URI: https://www.gnu.org/licenses/gpl-2.0.html
 */

declare(strict_types=1);

namespace Sampan\WooCommerce;

defined('ABSPATH') || exit;

const PLUGIN_FILE = __FILE__;

/** Above each page of wp-admin, for those who can switch WooCommerce on. Without it there is nothing that we could do. */
function say_what_is_missing(): void
{
    if (current_user_can('activate_plugins')) {
        $text = __('Sampan Checkout needs WooCommerce, which is not active: no shopper is offered AlipayHK or Alipay.', 'sampan-checkout');
        echo '<div class="notice notice-warning"><p>' . esc_html($text) . '</p></div>';
    }
}

// Orders are read and written through WooCommerce's own objects only, so they may live in either kind of table.
add_action('before_woocommerce_init', static function (): void {
    if (class_exists(\Automattic\WooCommerce\Utilities\FeaturesUtil::class)) {
        \Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility('custom_order_tables', __FILE__, true);
        \Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility('cart_checkout_blocks', __FILE__, true);
    }
});

add_action('init', static function (): void {
    load_plugin_textdomain('sampan-checkout', false, dirname(plugin_basename(__FILE__)) . '/languages');
});

add_action('plugins_loaded', static function (): void {
    if (!class_exists('WC_Payment_Gateway')) {
        add_action('admin_notices', __NAMESPACE__ . '\\say_what_is_missing');
        return;
    }
    if (!class_exists(\Sampan\Client::class)) {
        require_once __DIR__ . '/includes/Sampan.php';
    }
    foreach (['amounts', 'connection', 'orders', 'sessions', 'refunds', 'webhook', 'returns', 'gateway'] as $part) {
        require_once __DIR__ . "/includes/class-$part.php";
    }
    add_filter('woocommerce_payment_gateways', static function (array $gateways): array {
        $gateways[] = Gateway::class;
        return $gateways;
    });
    add_action('rest_api_init', [Webhook::class, 'register']);
    add_action('template_redirect', [Returns::class, 'shopper_is_back']);
    add_filter('woocommerce_cancel_unpaid_order', [Returns::class, 'may_cancel'], 10, 2);
});

add_action('woocommerce_blocks_loaded', static function (): void {
    if (!class_exists(\Automattic\WooCommerce\Blocks\Payments\Integrations\AbstractPaymentMethodType::class)) {
        return;
    }
    require_once __DIR__ . '/includes/class-blocks.php';
    add_action('woocommerce_blocks_payment_method_type_registration', static function ($registry): void {
        $registry->register(new Blocks());
    });
});
