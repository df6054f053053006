<?php
// A fault is on while a file of its name is in `faults` of the sandbox's state directory.

declare(strict_types=1);

function fault_is_on(string $name): bool
{
    $state = getenv('SANDBOX_STATE');
    if ($state === false || $state === '') {
        return false;
    }
    clearstatcache();
    return is_file("$state/faults/$name");
}
