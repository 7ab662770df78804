// SPDX-License-Identifier: Apache-2.0
/* The program that acts start: it ends at once. */
int main(void)
{
	return 0;
}
