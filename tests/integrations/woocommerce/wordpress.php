<?php
/** As much of WordPress as the plugin calls. What it keeps is kept in one file, so that requests can follow each other. */

declare(strict_types=1);

const ABSPATH = __DIR__;

final class Pretend
{
    public static array $options = [];
    public static array $hooks = [];
    public static array $routes = [];
    public static array $log = [];
    public static array $notices = [];
    public static array $scripts = [];
    public static array $compatible = [];
    public static array $query = [];
    public static array $orders = [];
    public static string $currency = 'HKD';
    public static string $locale = 'en_GB';
    public static bool $is_thank_you_page = false;
    public static bool $may_mend = true;
    public static ?string $lock = '1';
    public static array $locks = [];
    /** @var ?callable(string, string, array, ?string): array{0: int, 1: array, 2: string} who answers instead of a socket */
    public static $server = null;

    public static function start(): void
    {
        [self::$options, self::$orders, self::$log, self::$notices, self::$query, self::$locks] = [[], [], [], [], [], []];
        [self::$currency, self::$locale, self::$is_thank_you_page, self::$lock] = ['HKD', 'en_GB', false, '1'];
        self::$options['woocommerce_sampan_settings'] = ['enabled' => 'yes', 'title' => 'AlipayHK', 'debug' => 'yes'];
    }

    public static function set(array $settings): void
    {
        self::$options['woocommerce_sampan_settings'] = $settings + self::$options['woocommerce_sampan_settings'];
    }

    public static function read(string $file): void
    {
        if (is_file($file)) {
            [self::$options, self::$orders, self::$log] = unserialize(file_get_contents($file));
        }
    }

    public static function keep(string $file): void
    {
        file_put_contents($file, serialize([self::$options, self::$orders, self::$log]));
    }
}

final class WP_Error
{
    private string $code;
    private string $message;

    public function __construct(string $code = '', string $message = '')
    {
        [$this->code, $this->message] = [$code, $message];
    }

    public function get_error_code(): string
    {
        return $this->code;
    }

    public function get_error_message(): string
    {
        return $this->message;
    }
}

final class WP_REST_Request
{
    private string $body;
    private array $headers;

    public function __construct(string $body, array $headers)
    {
        $this->body = $body;
        $this->headers = [];
        foreach ($headers as $name => $value) { // WordPress keeps them so
            $this->headers[strtr(strtolower($name), '-', '_')] = $value;
        }
    }

    public function get_body(): string
    {
        return $this->body;
    }

    public function get_header(string $name): ?string
    {
        return $this->headers[strtr(strtolower($name), '-', '_')] ?? null;
    }
}

final class WP_REST_Response
{
    /** @var mixed */
    public $data;
    public int $status;

    public function __construct($data = null, int $status = 200)
    {
        [$this->data, $this->status] = [$data, $status];
    }
}

final class PretendDatabase
{
    public string $prefix = 'wp_';

    public function prepare(string $query, ...$values): string
    {
        return vsprintf(str_replace('%s', "'%s'", $query), array_map('addslashes', array_map('strval', $values)));
    }

    public function get_var(string $query): ?string
    {
        Pretend::$locks[] = $query;
        return Pretend::$lock;
    }

    public function query(string $query): bool
    {
        Pretend::$locks[] = $query;
        return true;
    }
}

$GLOBALS['wpdb'] = new PretendDatabase();

function add_action(string $hook, callable $do, int $priority = 10, int $arguments = 1): bool
{
    return add_filter($hook, $do, $priority, $arguments);
}

function add_filter(string $hook, callable $do, int $priority = 10, int $arguments = 1): bool
{
    Pretend::$hooks[$hook][] = [$do, $arguments];
    return true;
}

function do_action(string $hook, ...$values): void
{
    foreach (Pretend::$hooks[$hook] ?? [] as [$do, $arguments]) {
        $do(...array_slice($values, 0, $arguments));
    }
}

/** @return mixed */
function apply_filters(string $hook, $value, ...$rest)
{
    foreach (Pretend::$hooks[$hook] ?? [] as [$do, $arguments]) {
        $value = $do(...array_slice([$value, ...$rest], 0, $arguments));
    }
    return $value;
}

/** @return mixed */
function get_option(string $name, $default = false)
{
    return Pretend::$options[$name] ?? $default;
}

function delete_option(string $name): bool
{
    unset(Pretend::$options[$name]);
    return true;
}

function __(string $text, string $domain): string
{
    return $text;
}

function esc_html(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES);
}

function esc_url_raw(string $url): string
{
    return $url;
}

function absint($value): int
{
    return abs((int) $value);
}

function is_wp_error($thing): bool
{
    return $thing instanceof WP_Error;
}

function wp_json_encode($value)
{
    return json_encode($value);
}

function wp_strip_all_tags(string $text): string
{
    return trim(strip_tags($text));
}

function wp_parse_url(string $url, int $component = -1)
{
    return parse_url($url, $component);
}

function get_bloginfo(string $name): string
{
    return 'Bo&#8217;s Tea';
}

function determine_locale(): string
{
    return Pretend::$locale;
}

function get_query_var(string $name)
{
    return Pretend::$query[$name] ?? '';
}

function rest_url(string $path): string
{
    return (getenv('SHOP_URL') ?: 'https://shop.example') . '/wp-json/' . $path;
}

function register_rest_route(string $namespace, string $route, array $arguments): bool
{
    Pretend::$routes["$namespace$route"] = $arguments;
    return true;
}

function __return_true(): bool
{
    return true;
}

function current_user_can(string $what): bool
{
    return $what === 'activate_plugins' && Pretend::$may_mend;
}

function load_plugin_textdomain(string $domain, bool $deprecated, string $path): bool
{
    return is_dir(dirname(__DIR__, 3) . "/integrations/woocommerce/$path");
}

function plugin_basename(string $file): string
{
    return basename(dirname($file)) . '/' . basename($file);
}

function plugins_url(string $path, string $file): string
{
    return 'https://shop.example/wp-content/plugins/' . basename(dirname($file)) . '/' . $path;
}

function wp_register_script(string $handle, string $source, array $needs, string $version, bool $at_the_end): bool
{
    Pretend::$scripts[$handle] = $source;
    return true;
}

function wp_remote_request(string $url, array $options)
{
    $headers = ['Content-Type' => 'application/x-www-form-urlencoded'] + $options['headers']; // as WordPress does
    $headers = $options['headers'] + ($options['body'] === null ? [] : $headers);
    if (Pretend::$server !== null) {
        $answer = (Pretend::$server)($options['method'], $url, $headers, $options['body']);
        return $answer instanceof WP_Error ? $answer : ['status' => $answer[0], 'headers' => $answer[1], 'body' => $answer[2]];
    }
    $lines = array_map(static fn ($name, $value) => "$name: $value", array_keys($headers), $headers);
    $wish = ['method' => $options['method'], 'header' => $lines, 'content' => (string) $options['body'],
        'ignore_errors' => true, 'follow_location' => 0, 'timeout' => $options['timeout']];
    $body = @file_get_contents($url, false, stream_context_create(['http' => $wish]));
    if ($body === false) {
        return new WP_Error('http_request_failed', 'nobody there');
    }
    $found = [];
    foreach ($http_response_header as $line) {
        [$name, $value] = explode(':', $line, 2) + [1 => ''];
        $found[strtolower($name)] = trim($value);
    }
    return ['status' => (int) explode(' ', $http_response_header[0])[1], 'headers' => $found, 'body' => $body];
}

function wp_remote_retrieve_response_code(array $answer): int
{
    return $answer['status'];
}

function wp_remote_retrieve_header(array $answer, string $name): string
{
    return $answer['headers'][$name] ?? '';
}

function wp_remote_retrieve_body(array $answer): string
{
    return $answer['body'];
}
