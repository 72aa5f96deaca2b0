# SPDX-License-Identifier: Apache-2.0
"""The style as a test: the rules behind tools/tidy."""
