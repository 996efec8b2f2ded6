/** Version of the provider and of its SDK. */
export const version = '0.1.0';
