<?php
/** What is left behind when the plugin is deleted: the orders' own notes, and nothing secret. */

declare(strict_types=1);

defined('WP_UNINSTALL_PLUGIN') || exit;

delete_option('woocommerce_sampan_settings');
