<?php
/** The same way to pay in the block checkout. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

use Automattic\WooCommerce\Blocks\Payments\Integrations\AbstractPaymentMethodType;

defined('ABSPATH') || exit;

final class Blocks extends AbstractPaymentMethodType
{
    private const SCRIPT = 'sampan-checkout-blocks';

    /** @var string WooCommerce finds it under this name. */
    protected $name = 'sampan';

    public function initialize(): void
    {
        $this->settings = (array) get_option(Connection::OPTION, []);
    }

    public function is_active(): bool
    {
        $gateways = WC()->payment_gateways()->payment_gateways();
        return isset($gateways[$this->name]) && $gateways[$this->name]->is_available();
    }

    /** @return list<string> */
    public function get_payment_method_script_handles(): array
    {
        $needs = ['wc-blocks-registry', 'wc-settings', 'wp-element', 'wp-html-entities'];
        wp_register_script(self::SCRIPT, plugins_url('assets/blocks.js', PLUGIN_FILE), $needs, '0.1.0', true);
        return [self::SCRIPT];
    }

    public function get_payment_method_data(): array
    {
        $gateways = WC()->payment_gateways()->payment_gateways();
        return [
            'title' => $gateways[$this->name]->title,
            'description' => $gateways[$this->name]->description,
            'supports' => $gateways[$this->name]->supports,
        ];
    }
}
