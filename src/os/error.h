// SPDX-License-Identifier: Apache-2.0
//
// errno, translated to the errors of base/err.h.
#pragma once

// The enum err for an errno value; ERR_IO for what has no better name.
int os_error(int errno_value);
