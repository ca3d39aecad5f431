<?php
/** The way to pay as WooCommerce sees it: settings, a button, refunds. */

declare(strict_types=1);

namespace Sampan\WooCommerce;

use Sampan\SampanException;

defined('ABSPATH') || exit;

final class Gateway extends \WC_Payment_Gateway
{
    public const ID = 'sampan';

    public function __construct()
    {
        $this->id = self::ID;
        $this->method_title = __('Sampan: AlipayHK and Alipay', 'sampan-checkout');
        $this->method_description = __('Shoppers scan a code or are taken to their wallet on your Sampan page, and come back.', 'sampan-checkout');
        $this->has_fields = false;
        $this->supports = ['products', 'refunds'];
        $this->init_form_fields();
        $this->init_settings();
        $this->title = (string) $this->get_option('title');
        $this->description = (string) $this->get_option('description');
        add_action('woocommerce_update_options_payment_gateways_' . $this->id, [$this, 'process_admin_options']);
    }

    public function is_available(): bool
    {
        return parent::is_available() && Connection::is_complete() && Amounts::takes(get_woocommerce_currency());
    }

    public function needs_setup(): bool
    {
        return !Connection::is_complete();
    }

    /**
     * @param int $order_id
     * @return array{result: string, redirect?: string}
     */
    public function process_payment($order_id): array
    {
        $problem = __('The payment page cannot be opened now. Nothing was charged; please try again in a minute.', 'sampan-checkout');
        try {
            $order = wc_get_order($order_id);
            return ['result' => 'success', 'redirect' => Sessions::address_for((int) $order_id, $this->get_return_url($order))];
        } catch (\RangeException $error) {
            $problem = __('This amount cannot be paid with this wallet.', 'sampan-checkout');
            Connection::log('error', "order $order_id: {$error->getMessage()}");
        } catch (SampanException | \RuntimeException | \InvalidArgumentException $error) {
            Connection::log('error', "order $order_id: {$error->getMessage()}");
        }
        wc_add_notice($problem, 'error');
        return ['result' => 'failure'];
    }

    /**
     * @param int $order_id
     * @param string|float|null $amount
     * @param string $reason
     * @return true|\WP_Error
     */
    public function process_refund($order_id, $amount = null, $reason = '')
    {
        return Refunds::send((int) $order_id, $amount, (string) $reason);
    }

    public function init_form_fields(): void
    {
        $this->form_fields = $this->what_shoppers_see() + $this->what_sampan_gave_you() + $this->what_happens_when();
    }

    private function what_shoppers_see(): array
    {
        return [
            'enabled' => [
                'title' => __('Offer it', 'sampan-checkout'),
                'type' => 'checkbox',
                'label' => __('Shoppers can pay with AlipayHK and Alipay', 'sampan-checkout'),
                'default' => 'no',
            ],
            'title' => [
                'title' => __('Title', 'sampan-checkout'),
                'type' => 'text',
                'default' => __('AlipayHK / Alipay', 'sampan-checkout'),
            ],
            'description' => [
                'title' => __('Description', 'sampan-checkout'),
                'type' => 'textarea',
                'default' => __('You scan a code, or your phone opens your wallet.', 'sampan-checkout'),
            ],
            'wallets' => [
                'title' => __('Wallets', 'sampan-checkout'),
                'type' => 'multiselect',
                'class' => 'wc-enhanced-select',
                'options' => ['alipay_hk' => 'AlipayHK', 'alipay' => 'Alipay'],
                'default' => [],
                'description' => __('None chosen: all that Sampan offers for the currency.', 'sampan-checkout'),
            ],
        ];
    }

    private function what_sampan_gave_you(): array
    {
        return [
            'api_url' => [
                'title' => __('Address of Sampan', 'sampan-checkout'),
                'type' => 'text',
                'placeholder' => 'https://pay.example',
            ],
            'api_key' => ['title' => __('API key', 'sampan-checkout'), 'type' => 'password', 'placeholder' => 'sk_…'],
            'webhook_secret' => [
                'title' => __('Webhook secret', 'sampan-checkout'),
                'type' => 'password',
                'placeholder' => 'whsec_…',
                'description' => sprintf(
                    /* translators: %s: an address of this shop */
                    __('Sampan must send its webhooks to %s', 'sampan-checkout'),
                    '<code>' . esc_html(Webhook::address()) . '</code>'
                ),
            ],
        ];
    }

    private function what_happens_when(): array
    {
        return [
            'late_payment' => [
                'title' => __('Money that comes too late', 'sampan-checkout'),
                'type' => 'select',
                'options' => [
                    'hold' => __('waits until a person decides', 'sampan-checkout'),
                    'accept' => __('is accepted', 'sampan-checkout'),
                    'refund' => __('goes back by itself', 'sampan-checkout'),
                ],
                'default' => 'hold',
            ],
            'debug' => [
                'title' => __('Log', 'sampan-checkout'),
                'type' => 'checkbox',
                'label' => __('Keep a log of calls and webhooks (no keys, nothing about shoppers)', 'sampan-checkout'),
                'default' => 'no',
            ],
        ];
    }

    /** WooCommerce shows the sentence of an exception and keeps the old value. */
    public function validate_api_url_field(string $key, ?string $value): string
    {
        $url = rtrim(trim((string) $value), '/');
        $host = (string) wp_parse_url($url, PHP_URL_HOST);
        $is_here = in_array($host, ['localhost', '127.0.0.1'], true);
        if ($url !== '' && !preg_match($is_here ? '#^https?://[^/?\#@\s]+(/|$)#' : '#^https://[^/?\#@\s]+(/|$)#', $url)) {
            throw new \Exception(__('The address of Sampan starts with https://', 'sampan-checkout'));
        }
        return esc_url_raw($url);
    }

    public function validate_api_key_field(string $key, ?string $value): string
    {
        return $this->looking_like('#^sk_[\w-]+$#', $value, __('An API key of Sampan starts with sk_', 'sampan-checkout'));
    }

    public function validate_webhook_secret_field(string $key, ?string $value): string
    {
        $sentence = __('A webhook secret starts with whsec_ and is copied as a whole', 'sampan-checkout');
        return $this->looking_like('#^whsec_[A-Za-z0-9+/]{22,}={0,2}$#', $value, $sentence);
    }

    private function looking_like(string $pattern, ?string $value, string $otherwise): string
    {
        $text = trim((string) $value);
        if ($text !== '' && !preg_match($pattern, $text)) {
            throw new \Exception($otherwise);
        }
        return $text;
    }
}
