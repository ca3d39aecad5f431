<?php
/** As much of WooCommerce as the plugin calls. An order is read afresh each time, as from a database. */

declare(strict_types=1);

namespace Automattic\WooCommerce\Utilities {
    final class FeaturesUtil
    {
        public static function declare_compatibility(string $feature, string $file, bool $positive): bool
        {
            \Pretend::$compatible[$feature] = $positive;
            return true;
        }
    }
}

namespace Automattic\WooCommerce\Blocks\Payments\Integrations {
    abstract class AbstractPaymentMethodType
    {
        protected $name = '';
        protected $settings = [];

        public function get_name(): string
        {
            return $this->name;
        }

        abstract public function initialize();
    }
}

namespace {
    final class WC_Order_Item
    {
        private array $kept;

        public function __construct(string $name, int $quantity, float $total, float $tax = 0.0)
        {
            $this->kept = [$name, $quantity, $total, $tax];
        }

        public function get_name(): string
        {
            return $this->kept[0];
        }

        public function get_quantity(): int
        {
            return $this->kept[1];
        }

        public function get_total(): string
        {
            return (string) $this->kept[2];
        }

        public function get_total_tax(): string
        {
            return (string) $this->kept[3];
        }
    }

    class WC_Order
    {
        public array $kept;
        public array $meta = [];

        public function __construct(int $id, string $total, string $currency, array $items = [])
        {
            $this->kept = ['id' => $id, 'key' => "wc_order_key$id", 'total' => $total, 'currency' => $currency, 'items' => $items,
                'status' => 'pending', 'notes' => [], 'refunds' => [], 'transaction' => ''];
        }

        public function get_id(): int
        {
            return $this->kept['id'];
        }

        public function get_order_key(): string
        {
            return $this->kept['key'];
        }

        public function get_order_number(): string
        {
            return 'T-' . $this->kept['id'];
        }

        public function get_total(): string
        {
            return $this->kept['total'];
        }

        public function get_currency(): string
        {
            return $this->kept['currency'];
        }

        public function get_items($types = 'line_item'): array
        {
            return $this->kept['items'];
        }

        public function get_checkout_payment_url(): string
        {
            return (getenv('SHOP_URL') ?: 'https://shop.example') . "/checkout/order-pay/{$this->kept['id']}/?pay_for_order=true";
        }

        public function get_meta(string $key)
        {
            return $this->meta[$key] ?? '';
        }

        public function update_meta_data(string $key, $value): void
        {
            $this->meta[$key] = $value;
        }

        public function save(): int
        {
            $stored = Pretend::$orders[$this->kept['id']] ?? null;
            $written = clone $this;
            if ($stored) { // notes and refunds are rows of their own
                $written->kept = ['notes' => $stored->kept['notes'], 'refunds' => $stored->kept['refunds']] + $this->kept;
            }
            Pretend::$orders[$this->kept['id']] = $written;
            return $this->kept['id'];
        }

        public function add_order_note(string $note): int
        {
            Pretend::$orders[$this->kept['id']]->kept['notes'][] = $note;
            return 1;
        }

        public function has_status($statuses): bool
        {
            return in_array($this->kept['status'], (array) $statuses, true);
        }

        public function is_paid(): bool
        {
            return $this->has_status(['processing', 'completed']);
        }

        public function update_status(string $status, string $note = ''): bool
        {
            $this->kept['status'] = $status;
            $this->save();
            $this->add_order_note($note);
            return true;
        }

        public function payment_complete(string $transaction = ''): bool
        {
            if (!$this->has_status(['on-hold', 'pending', 'failed', 'cancelled'])) {
                return false;
            }
            $this->kept['transaction'] = $transaction;
            return $this->update_status('processing', 'payment complete');
        }

        public function get_remaining_refund_amount(): string
        {
            $back = array_sum(array_column(Pretend::$orders[$this->kept['id']]->kept['refunds'], 'amount'));
            return number_format((float) $this->kept['total'] - $back, 2, '.', '');
        }
    }

    class WC_Payment_Gateway
    {
        public $id = '';
        public $method_title = '';
        public $method_description = '';
        public $has_fields = true;
        public $supports = ['products'];
        public $form_fields = [];
        public $settings = [];
        public $title = '';
        public $description = '';
        public array $errors = [];

        public function init_settings(): void
        {
            $defaults = array_map(static fn (array $field) => $field['default'] ?? '', $this->form_fields);
            $this->settings = (array) get_option("woocommerce_{$this->id}_settings", []) + $defaults;
        }

        public function get_option(string $key)
        {
            return $this->settings[$key] ?? '';
        }

        public function is_available()
        {
            return $this->get_option('enabled') === 'yes';
        }

        public function get_return_url($order = null): string
        {
            $shop = getenv('SHOP_URL') ?: 'https://shop.example';
            return "$shop/checkout/order-received/{$order->get_id()}/?key={$order->get_order_key()}";
        }

        /** What the form holds goes through validate_…_field; a sentence that is thrown is shown, the old value stays. */
        public function process_admin_options(array $form = []): bool
        {
            foreach ($form as $key => $value) {
                $check = [$this, "validate_{$key}_field"];
                try {
                    $this->settings[$key] = is_callable($check) ? $check($key, $value) : $value;
                } catch (Exception $error) {
                    $this->errors[] = $error->getMessage();
                }
            }
            Pretend::$options["woocommerce_{$this->id}_settings"] = $this->settings;
            return true;
        }
    }

    function WC(): object
    {
        $gateways = array_map(static fn (string $class) => new $class(), apply_filters('woocommerce_payment_gateways', []));
        $listed = new class (array_combine(array_column($gateways, 'id'), $gateways)) {
            private array $by_id;

            public function __construct(array $by_id)
            {
                $this->by_id = $by_id;
            }

            public function payment_gateways(): array
            {
                return $this->by_id;
            }
        };
        return new class ($listed) {
            private object $listed;

            public function __construct(object $listed)
            {
                $this->listed = $listed;
            }

            public function payment_gateways(): object
            {
                return $this->listed;
            }
        };
    }

    function wc_get_order($id)
    {
        return isset(Pretend::$orders[$id]) ? clone Pretend::$orders[$id] : false;
    }

    function wc_create_refund(array $wish)
    {
        $order = Pretend::$orders[$wish['order_id']];
        $order->kept['refunds'][] = ['amount' => $wish['amount'], 'reason' => $wish['reason']];
        if ($wish['refund_payment']) {
            $gateway = WC()->payment_gateways()->payment_gateways()['sampan'];
            $answer = $gateway->process_refund($wish['order_id'], $wish['amount'], $wish['reason']);
            if (is_wp_error($answer)) {
                array_pop(Pretend::$orders[$wish['order_id']]->kept['refunds']);
                return $answer;
            }
        }
        return true;
    }

    function wc_add_notice(string $message, string $type): void
    {
        Pretend::$notices[] = [$type, $message];
    }

    function wc_get_price_decimals(): int
    {
        return 2;
    }

    function get_woocommerce_currency(): string
    {
        return Pretend::$currency;
    }

    function is_order_received_page(): bool
    {
        return Pretend::$is_thank_you_page;
    }

    function wc_get_logger(): object
    {
        return new class {
            public function log(string $level, string $message, array $context): void
            {
                Pretend::$log[] = "$level {$context['source']}: $message";
            }
        };
    }
}
