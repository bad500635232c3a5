// SPDX-License-Identifier: Apache-2.0

//go:build !newest

// The oldest franz-go that is tested, which Debian's Go can build, has no consumer protocol.
package main

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
)

func consumerProtocol() []kgo.Opt {
	check(errors.New("no consumer protocol in this version"))
	return nil
}
