module chitin/interop/member

go 1.19

require github.com/twmb/franz-go v1.15.4
