package warehouse

import (
	"errors"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// dataError says whether a code means that ClickHouse refuses a value, whoever
// sends it and whenever. Every other error may pass: a server that is away, out
// of memory or read-only, a table that someone altered by hand and will repair.
func dataError(code int32) bool {
	switch code {
	case 6, // CANNOT_PARSE_TEXT
		27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
		38,  // CANNOT_PARSE_DATE
		41,  // CANNOT_PARSE_DATETIME
		69,  // ARGUMENT_OUT_OF_BOUND
		70,  // CANNOT_CONVERT_TYPE
		72,  // CANNOT_PARSE_NUMBER
		117, // INCORRECT_DATA
		128, // TOO_LARGE_ARRAY_SIZE
		131, // TOO_LARGE_STRING_SIZE
		321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
		349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
		407, // DECIMAL_OVERFLOW
		469: // VIOLATED_CONSTRAINT
		return true
	}
	return false
}

// IsDataError says whether ClickHouse refused an insert because of a row in it,
// so that repeating it is in vain and the row must be found and set aside.
func IsDataError(err error) bool {
	return dataError(code(err))
}

// IsTooMuch says whether ClickHouse had not the memory or the time that its settings
// allow for an insert. Fewer rows at once may pass.
func IsTooMuch(err error) bool {
	switch code(err) {
	case 159, // TIMEOUT_EXCEEDED
		160, // TOO_SLOW
		241: // MEMORY_LIMIT_EXCEEDED
		return true
	}
	return false
}

// code is the number of ClickHouse's error, 0 if it is none of ClickHouse's.
func code(err error) int32 {
	if e, ok := ch.AsException(err); ok {
		return int32(e.Code)
	}
	if e, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return e.Code
	}
	return 0
}
